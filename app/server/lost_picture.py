"""What stands in place of a picture that cannot be shown: why, and what to do, as the routes of pictures say it."""

from __future__ import annotations

from pathlib import Path

LOST_SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")
"""JavaScript with ``sayLost(picture)``, for an image element that has failed."""

LOST_STYLE = """.tamis-lost {box-sizing: border-box; padding: 6px; max-width: 100%; max-height: 100%; overflow: hidden;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 6; overflow-wrap: anywhere; text-align: start;
  font-size: 0.72rem; line-height: 1.35; white-space: normal; color: light-dark(#3d444d, #d5dade);}"""
