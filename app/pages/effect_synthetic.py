"""The dial of synthetic text on the page Effect: what share of it is good for a target, measured at one budget."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from tamis.analytics.effect.synthetic_dial import SHARES, DialParams, SyntheticDial
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.study.queries import group_counts
from tamis.app.dashboard import session
from tamis.app.dashboard.job_view import last_job, offer_job
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.figures.mixture import dial_figure
from tamis.app.jobs.mixture import DIAL, read_dial, start_dial
from tamis.app.pages.effect_search import SECONDS_PER_MEGABYTE
from tamis.data.errors import TamisError

MOST_VALUES = 200
DRAWS = 5


def show(here: Stage, target: TargetEntry | None) -> None:
    """Lay out the settings, the start, and the last sweep with them."""
    st.markdown(
        "Rewritten or generated text beside natural text: one budget is filled with 0, 10, 30 and 50% of it, and the "
        "target's loss says how much is good. A column names where a text comes from, for example its model."
    )
    if target is None:
        st.caption("Choose a target above: the shares are measured for it.")
        return
    columns = here.facts.columns
    grouping = [info.name for info in columns.values() if info.type == "category"]
    if not grouping:
        st.caption("This corpus has no column that says where a text comes from.")
        return
    cells = st.columns([2, 4, 2], vertical_alignment="bottom")
    by = cells[0].selectbox(
        "Provenance", grouping, index=grouping.index("source") if "source" in grouping else 0, key="dial/by",
        format_func=lambda name: columns[name].title,
    )  # fmt: skip
    table = here.ask(group_counts, column=by, limit=MOST_VALUES).table
    values = [str(value) for value in table.column("value").to_pylist() if value]
    chosen = cells[1].multiselect(
        "Synthetic values", values, key=f"dial/values/{by}", placeholder="which are synthetic"
    )
    there = int(here.facts.whole("n_tokens").sum())
    tokens = cells[2].number_input(
        "Token budget", 1000, max(1000, 4 * there), max(1000, there // 4), 1000, key="dial/tokens"
    )
    if not chosen:
        st.caption("Choose the values of synthetic texts.")
        return
    wanted = DialParams(by, tuple(sorted(chosen)), int(tokens))
    recipe, study = session.current().recipe, here.opened.study
    megabytes = min(20.0, wanted.tokens / max(1, there) * float(here.facts.whole("bytes").sum()) / 1e6)
    offer_job(
        here, "Try the shares", "dial_job",
        lambda: start_dial(study.corpus, here.workspace, target.name, recipe, wanted),
        seconds=15 + len(SHARES) * DRAWS * SECONDS_PER_MEGABYTE * megabytes, ready=True,
    )  # fmt: skip
    plain_params = {name: list(each) if isinstance(each, tuple) else each for name, each in asdict(wanted).items()}
    job = last_job(
        here.workspace, here.facts.corpus, DIAL, target=target.name, digest=recipe.digest, wanted=plain_params
    )
    if job is None:
        return
    try:
        _found(read_dial(here.workspace, job))
    except TamisError as error:
        show_fault(error)


def _found(found: SyntheticDial) -> None:
    left, right = st.columns(2, gap="medium")
    left.plotly_chart(
        dial_figure(found), key="dial/figure", config={"displayModeBar": False},
        alt="Bits per byte of the target by share of synthetic text",
    )  # fmt: skip
    with right:
        st.markdown("\n".join(f"- {plain(point.sentence)}" for point in found.points))
        st.caption(
            f"{count(found.budget_bytes)} bytes each, by word trigrams on target texts no recipe has seen; intervals "
            "of two standard deviations over paired draws and texts. To use a share, fit or write a rule `mixture`."
        )
