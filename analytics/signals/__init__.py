"""The signals of a document. Importing this package fills the registry ``SIGNALS``."""

from __future__ import annotations

from tamis.analytics.signals import audit_signals, image_signals, measure, perplexity, preference_signals

__all__ = ["audit_signals", "image_signals", "measure", "perplexity", "preference_signals"]
