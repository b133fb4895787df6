"""How people look at what was found: tables, reports, pull requests."""

from __future__ import annotations
