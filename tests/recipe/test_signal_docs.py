"""The page of signals is made from the registries and is current."""

from __future__ import annotations

from pathlib import Path

from tamis.analytics.recipe.presets import RULE_SETS
from tamis.analytics.recipe.reference_docs import signal_docs
from tamis.analytics.signals.signal import SIGNALS

PAGE = Path(__file__).parents[2] / "docs" / "signals.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == signal_docs(), "run: tamis docs"


def test_every_signal_and_rule_set_is_documented() -> None:
    page = signal_docs()
    for signal in (signal for signal in SIGNALS if signal.step != "plugins"):
        assert f"`{signal.key}`" in page
        assert signal.help.endswith(".") and signal.title and signal.unit and signal.source, signal.name
    for name, rules in RULE_SETS.items():
        assert f"### {name}" in page
        assert all(rule.reason in page for rule in rules.rules)


def test_names_are_column_names() -> None:
    assert all(signal.name.isidentifier() and signal.name.islower() for signal in SIGNALS)
