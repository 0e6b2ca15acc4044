"""The page of signals is made from the registries and is current."""

from __future__ import annotations

from pathlib import Path

from tamis.analytics.presets import RULE_SETS
from tamis.analytics.signal import SIGNALS
from tamis.analytics.signal_docs import signal_docs

PAGE = Path(__file__).parents[1] / "docs" / "signals.md"


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
