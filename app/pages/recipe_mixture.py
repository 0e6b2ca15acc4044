"""The maker of mixtures: a background job fits one to a target; sliders change it, with predicted bits beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tamis.analytics.effect.mixture_fit import FitParams, MixtureFit, MixturePrediction
from tamis.analytics.effect.mixture_swarm import DomainParams
from tamis.analytics.effect.target import list_targets
from tamis.app.dashboard import login, rule_preview, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.job_view import last_job, watch
from tamis.app.dashboard.look import Stat, count, duration, stats
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.figures.mixture import mixture_figure
from tamis.app.jobs.mixture import MIXTURE, read_mixture, start_mixture
from tamis.data.errors import TamisError

_SLIDERS = 12
"""Most domains with a slider; the others keep their fitted shares."""

_SECONDS = 3.0
"""Of a trial, about, at 20 MB of text."""


def show(here: Stage) -> None:
    """Fit a mixture to a saved target, then offer it with sliders."""
    targets = list_targets(here.workspace)
    if not targets:
        st.caption("Save a target first: on the page Effect, from a selection, or with `tamis evaluate --target FILE`.")
        return
    st.caption(
        "A swarm of mixtures is tried by a small model; a law through them says which one needs the fewest bits for "
        "the target, within what the domains have. Source: Olmix, arXiv 2602.12237; RegMix, arXiv 2407.01492."
    )
    target = st.selectbox("Target", list(targets), key="mixture/target")
    wanted = _wanted(here)
    done = last_job(here.workspace, here.facts.corpus, MIXTURE, target=target, wanted=asdict(wanted))
    if done is None:
        _fit(here, target, wanted)
        return
    try:
        fit, digest = read_mixture(here.workspace, done)
    except TamisError as error:
        show_fault(error)
        return
    _offer(here, fit, digest)


def _wanted(here: Stage) -> FitParams:
    """Show what is to be fitted."""
    columns = here.facts.columns
    grouping = [info.name for info in columns.values() if info.type == "category" or info.role == "cluster"]
    scores = [info.name for info in columns.values() if info.type in ("number", "integer") and info.role == "signal"]
    there = int(here.facts.whole("n_tokens").sum())
    cells = st.columns(4)
    by = cells[0].selectbox(
        "Domains", grouping, index=grouping.index("source") if "source" in grouping else 0, key="mixture/by",
        format_func=lambda name: columns[name].title,
    )  # fmt: skip
    tiers = cells[1].selectbox(
        "Tiers of quality", [0, 2, 3, 4], key="mixture/tiers", format_func=lambda tiers: str(tiers) if tiers else "none"
    )
    tokens = cells[2].number_input(
        "Token budget", 1000, max(1000, 10 * there), max(1000, there // 4), 1000, key="mixture/tokens"
    )
    copies = cells[3].number_input("Most copies", 1, 16, 4, key="mixture/copies")
    quality = None
    if tiers and scores:
        quality = st.selectbox(
            "Score of the tiers", scores, key="mixture/quality", format_func=lambda s: columns[s].title
        )
    cut = DomainParams(by, int(tiers) if quality else None, quality)
    return FitParams(cut, tokens=int(tokens), max_copies=int(copies))


def _fit(here: Stage, target: str, wanted: FitParams) -> None:
    """Offer to start the job, and follow the one that runs."""
    study = here.opened.study
    if st.button("Fit the mixture", key="mixture/fit", disabled=not login.may("owner")):
        login.demand("owner", to="start a measurement")
        session.choose(mixture_job=start_mixture(study.corpus, here.workspace, target, wanted).id)
        st.rerun()
    whole = max(1, int(here.facts.whole("n_tokens").sum()))
    megabytes = min(20.0, wanted.tokens / whole * float(here.facts.whole("bytes").sum()) / 1e6)
    st.caption(
        f"about {duration(10 + 60 * _SECONDS * megabytes / 20)} in the background; only the half of the target that "
        "recipes may see is read"
    )
    if job := session.current().setting("mixture_job"):
        watch(here.workspace, str(job), "mixture_job")


@st.fragment
def _offer(here: Stage, fit: MixtureFit, digest: str) -> None:
    """Show the fit, sliders from its optimum, and what the chosen mixture would do."""
    order = sorted(range(len(fit.names)), key=lambda k: (-max(fit.natural[k], fit.weights[k]), fit.names[k]))
    chosen = list(fit.weights)
    with st.container(border=True):
        cells: list[DeltaGenerator] = []
        for k in order[:_SLIDERS]:
            # Rows of three, so that a narrow screen keeps the order.
            cells = cells or list(st.columns(3))
            chosen[k] = cells.pop(0).slider(
                plain(fit.names[k]), 0.0, 100.0, round(100 * fit.weights[k], 1), 0.5, format="%.1f%%",
                key=session.widget("mixture", digest[:16], fit.names[k]),
                help=f"{100 * fit.natural[k]:.1f}% of the corpus; at most {100 * fit.caps[k]:.0f}% at this budget",
            ) / 100  # fmt: skip
        if not sum(chosen):
            st.caption("Give one domain a share at least.")
            return
        share = [weight / sum(chosen) for weight in chosen]
        _figures(fit, share)
        st.caption("Shares are divided by their sum; what a domain cannot give goes to the others.")
        with st.expander("How sure this is"):
            st.markdown(_said(fit))
    with st.container(horizontal=True):
        if st.button("Add the mixture", key="mixture/add", type="primary"):
            adopt(recipe=session.current().recipe.with_operator(fit.operator(share), note=f"mixture for {fit.target}"))
            st.rerun()
    rule_preview.try_new(here, session.current().recipe.with_operator(fit.operator(share)), name="mixture/try")


def _figures(fit: MixtureFit, share: Sequence[float]) -> None:
    """Show predicted bits of the chosen, the fitted and the natural mixture, what was measured, and the shares."""
    at = {"chosen": share, "fitted": fit.weights, "natural": fit.natural}
    found = {name: fit.predict(weights) for name, weights in at.items()}
    measured = fit.differences[0]
    stats([
        *(
            Stat(f"{name}, predicted", f"{one.bits:.3f}", _interval(one), "Bits per byte of the target at this mixture")
            for name, one in found.items()
        ),
        Stat(
            "fitted, measured", f"{measured.mean:+.3f}", f"{measured.low:+.3f} to {measured.high:+.3f}",
            f"Against the natural mixture, in paired draws: {measured.verdict}",
        ),
    ])  # fmt: skip
    st.plotly_chart(
        mixture_figure(fit.names, {"natural": fit.natural, "chosen": share}), key="mixture/shares",
        config={"displayModeBar": False}, alt="Natural and chosen share of every domain",
    )  # fmt: skip


def _interval(found: MixturePrediction) -> str:
    return f"{found.low:.3f} to {found.high:.3f}"


def _said(fit: MixtureFit) -> str:
    """Return in words how the fit was made and how far it can be trusted, as Markdown."""
    lines = [
        f"{len(fit.trials)} mixtures of {count(fit.budget_bytes)} bytes by {fit.proxy}, for {plain(fit.target)} at "
        f"{count(fit.tokens)} tokens. Left-out trials are predicted to {fit.error:.4f} bits per byte, in the right "
        f"order by a rank correlation of {fit.rank:.2f}.",
        *(plain(difference.sentence) for difference in fit.differences),
        "Measured on texts that recipes may see: measure the recipe on the page Effect to judge it.",
    ]
    return "\n".join(f"- {line}" for line in lines)
