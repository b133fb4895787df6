"""Logs that others kept: read, understood, adopted."""
