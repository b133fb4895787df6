"""The git room: what happened. Refs, notes, commits and worktrees, and nothing else."""

from __future__ import annotations
