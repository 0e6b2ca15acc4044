"""The modules that define operators: importing them fills the registry. A new module is one more line here."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "tamis.analytics.operators_rows",
    "tamis.analytics.operators_grouped",
    "tamis.analytics.operators_selection",
    "tamis.analytics.operators_sets",
    "tamis.analytics.operators_near",
    "tamis.analytics.operators_known",
    "tamis.analytics.operators_boilerplate",
    "tamis.analytics.operators_semantic",
    "tamis.analytics.operators_sampling",
    "tamis.analytics.operators_coverage",
    "tamis.analytics.operators_relevance",
    "tamis.analytics.operators_budget",
    "tamis.analytics.operators_order",
    "tamis.analytics.operators_text",
)


def load() -> None:
    """Import every module that defines operators; a second call does nothing."""
    for module in MODULES:
        import_module(module)
