"""The card on Overview says what new files brought, with names and both shares."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
from streamlit.testing.v1 import AppTest

from tamis.analytics.facts.facts import Facts
from tamis.analytics.study.contrasts import SignalContrast
from tamis.analytics.study.drift import Drift
from tamis.analytics.study.groups import Totals
from tamis.analytics.study.side_by_side import compare_shares


def _card(here, found):  # type: ignore[no-untyped-def]
    from tamis.app.pages import drift_card

    drift_card._show(here, found)


def test_the_card_names_signals_clusters_and_copies() -> None:
    facts = Facts.from_table(pa.table({"id": ["a"], "bytes": [1], "source": ["x"]}), digest="d")
    here = SimpleNamespace(facts=facts, opened=SimpleNamespace(cluster_names=lambda: {"0": "rivers"}))
    found = Drift(
        old=Totals(900, 9_000, 90_000),
        new=Totals(100, 2_000, 20_000),
        signals=(SignalContrast("n_words", 0.75, 20.0, 10.0),),
        groups={"source": compare_shares({"books": 1.0}, {None: 1.0}, limit=5)},
        repeated=25,
        similar=None,
    )
    page = AppTest.from_function(_card, kwargs={"here": here, "found": found}, default_timeout=60).run()
    assert not page.exception
    signals, groups = (frame.value for frame in page.dataframe)
    assert signals.to_dict("records") == [
        {"signal": "n_words", "median of old": "10", "median of new": "20", "new has more": 0.75}
    ]
    assert groups["value"].tolist() == ["books", "(none)"]
    assert groups["old"].tolist() == [100.0, 0.0]
    said = " ".join(element.proto.body for element in page.get("html"))
    assert "25.0%" in said or "25%" in said
