"""Where knowledge comes from: method packs, recipes, and the papers behind them."""

from __future__ import annotations
