"""The signals of a document. Importing this package fills the registry ``SIGNALS``."""

from __future__ import annotations

from tamis.analytics.signals import measure, perplexity

__all__ = ["measure", "perplexity"]
