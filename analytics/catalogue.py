"""The modules that define operators: importing them fills the registry. A new module is one more line here."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "tamis.analytics.operators_rows",
    "tamis.analytics.operators_sets",
    "tamis.analytics.operators_near",
)


def load() -> None:
    """Import every module that defines operators; a second call does nothing."""
    for module in MODULES:
        import_module(module)
