"""The git-native memory of autonomous ML research."""

from __future__ import annotations
