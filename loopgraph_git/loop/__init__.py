"""How an experiment is run: propose, check, train, measure, decide."""

from __future__ import annotations
