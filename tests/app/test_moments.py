"""Times are those of the browser's zone; how long ago something was is said in words; jobs say what they measure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.recipe_choices import ago
from tamis.app.jobs.worker import measured


def script() -> None:
    import streamlit as st

    from tamis.app.dashboard.look import moment, time_zone

    st.text(time_zone())
    st.text(moment(1_767_600_000.0))
    st.text(moment("2026-01-05T08:00:00+00:00"))
    st.text(moment(0.0))


def test_times_are_said_in_a_zone_that_is_named() -> None:
    app = AppTest.from_function(script).run()
    assert [item.value for item in app.text] == ["UTC", "2026-01-05 08:00", "2026-01-05 08:00", ""]


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5, minutes=59), "5 hours ago"),
        (timedelta(days=7, hours=2), "7 days ago"),
        (timedelta(days=15), "2 weeks ago"),
    ],
)
def test_how_long_ago_it_was_is_said_in_words(passed: timedelta, said: str) -> None:
    assert ago((datetime.now(UTC) - passed).isoformat()) == said


def test_a_measurement_is_called_by_what_it_measures() -> None:
    recipe = Recipe().with_operator("near_dedup").with_operator("signal_range", signal="response.n_words", min=3)
    assert measured(recipe) == "fuzzy deduplication (MinHash-LSH, verified), heuristic filter (response.n_words)"
    assert measured(Recipe().with_operator("signal_range", signal="n_words", min=3)) == "nothing new"
