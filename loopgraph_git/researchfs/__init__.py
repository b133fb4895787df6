"""What is known: an index of papers, methods and experiments in one SQLite file."""

from __future__ import annotations
