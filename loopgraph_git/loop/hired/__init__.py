"""Coding agents that work for a session: where they work, and what they may ask."""
