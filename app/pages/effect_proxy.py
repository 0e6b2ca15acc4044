"""The proof on the page Effect: small transformers trained on the recipe's selection, on random ones, on everything."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.effect.learning_curves import DataShare
from tamis.analytics.effect.proxy_plan import LEAST_STEPS, SIZES, Device, ProxyPlan, tokenizer_anywhere
from tamis.analytics.effect.proxy_result import ProxyEffect
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.training.tokenizer import RAW
from tamis.app.dashboard import login
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import Stat, duration, short, size, stats
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.figures.learning import learning_figure
from tamis.app.jobs.proxy import PROXY, read_proxy, start_proxy
from tamis.data.errors import SettingError, TamisError
from tamis.data.jobs import Job, find_job, list_jobs
from tamis.data.workspace import Workspace

DEVICES: dict[str, Device] = {"processor": "cpu", "GPU": "cuda"}
MARKS = {"better": ":material/trending_up:", "worse": ":material/trending_down:"}


def show(here: Stage, target: TargetEntry | None, recipe: Recipe) -> None:
    """Lay out the choice of a size with its estimate, the growing curves, and the two numbers."""
    st.markdown(
        "Small transformers are trained on the recipe's selection, on random selections of the same size, and on "
        "everything: they read the same number of bytes or tokens in the same steps with the same seeds. Their loss "
        "is measured on target texts no recipe has seen."
    )
    if target is None:
        st.info("Choose or save a target above: the models are judged by texts like those they are for.")
        return
    if not recipe.active:
        st.info("Add a rule first: a recipe without rules keeps everything.")
        return
    proofs = _jobs(here, target, recipe)
    try:
        plan = _plan(*(_models(job) for job in proofs[:1]))
    except SettingError as error:
        show_fault(error)
        return
    jobs = [job for job in proofs if _models(job) == (plan.size, plan.tokenizer)]
    running = next((job for job in jobs if job.active), None)
    _start(here, target, recipe, plan, disabled=running is not None)
    if running is not None:
        watch(here.workspace, running.id, "proxy_job")
        _growing(here.workspace, running.id)
        return
    if jobs and jobs[0].state != "done":
        st.warning(plain(f"The last training {jobs[0].state}: {jobs[0].message}"))
    for job in jobs:
        found = _read(here.workspace, job.id) if job.state == "done" else None
        if found is not None and found.target_digest == target.digest:
            _result(found)
            return


def _plan(last: tuple[str, str] = ("0.5M", RAW)) -> ProxyPlan:
    """Let a person choose the models and how much they read; size and tokenizer begin as those of the last proof."""
    cells = st.columns([3, 2, 1.4, 1.8, 2.2], vertical_alignment="bottom")
    name = cells[0].segmented_control(
        "Parameters of a model", list(SIZES), default=last[0], key="effect/proxy/size", required=True,
        help="Larger models agree better with the large ones people train, and take longer.",
    )  # fmt: skip
    spec = SIZES[str(name or last[0])]
    tokenizer = cells[4].text_input(
        "Tokenizer", last[1], key="effect/proxy/tokenizer", disabled=not login.may("owner"),
        help="bytes needs no vocabulary. Otherwise a tokenizer.json, its folder, a name in the local Hugging Face "
        "cache, or tiktoken: and a name; its vocabulary adds to the parameters.",
    ).strip()  # fmt: skip
    unit = "Megabytes" if tokenizer in ("", RAW) else "Million tokens"
    least = LEAST_STEPS * spec.step_tokens / 1e6
    megabytes = cells[1].number_input(
        f"{unit} each model reads", round(least + 0.005, 2), 1000.0, 1.0, 0.1, "%.2f", key=f"effect/proxy/mb/{name}"
    )
    seeds = cells[2].number_input(
        "Seeds",
        1,
        10,
        3,
        key="effect/proxy/seeds",
        help="Models per selection; from 2 on the numbers have an interval.",
    )
    device = cells[3].selectbox("Train on", list(DEVICES), key="effect/proxy/device")
    parts = st.toggle(
        "Also train on 10% and 30% of the selection, to see how little is enough", value=True, key="effect/proxy/parts"
    )
    shares = ProxyPlan().shares if parts else ()
    read, name = round(float(megabytes) * 1e6), tokenizer_anywhere(tokenizer or RAW)
    return ProxyPlan(spec.name, read, int(seeds), shares, DEVICES[str(device)], name)


def _start(here: Stage, target: TargetEntry, recipe: Recipe, plan: ProxyPlan, *, disabled: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        allowed = login.may("owner") and not disabled
        if st.button("Train the models", type="primary", key="effect/proxy/start", disabled=not allowed):
            login.demand("owner", to="start a training")
            start_proxy(here.opened.study.corpus, here.workspace, recipe, target.name, plan, yields=True)
            st.rerun()
        where = "two processors" if plan.device == "cpu" else "two processors; a GPU is faster"
        with_words = f", {short(plan.spec.parameters)} parameters with the vocabulary" if plan.has_tokenizer else ""
        st.caption(f"{plan.models} models{with_words}, about {duration(plan.seconds)} on {where}, in the background")


def _models(job: Job) -> tuple[str, str]:
    """Return the size and the tokenizer of the models a job trains."""
    plan = job.params["plan"]
    return str(plan["size"]), str(plan.get("tokenizer", RAW))


def _jobs(here: Stage, target: TargetEntry, recipe: Recipe) -> list[Job]:
    """Return the trainings of this recipe for this target, the latest first, whoever started them."""
    wanted = {"digest": recipe.digest, "target": target.name, "fingerprint": here.facts.corpus}
    return [
        job
        for job in list_jobs(here.workspace.jobs)
        if job.kind == PROXY and all(job.params.get(name) == value for name, value in wanted.items())
    ]


def _read(workspace: Workspace, name: str) -> ProxyEffect | None:
    """Return what a job has found, None before its first curve."""
    try:
        return read_proxy(workspace, find_job(workspace.jobs, name))
    except TamisError as error:
        show_fault(error)
        return None


@st.fragment(run_every=2.0)
def _growing(workspace: Workspace, name: str) -> None:
    """Show the curves so far; they grow with every checkpoint."""
    found = _read(workspace, name)
    if found is None:
        st.caption("The curves begin when the first model has read a thirty-second part.")
        return
    st.plotly_chart(learning_figure(found), key="effect/proxy/growing", config={"displayModeBar": False})


def _result(found: ProxyEffect) -> None:
    """Show the verdict, the two numbers with their intervals, the curves and what was trained on."""
    headline = found.headline
    if headline is None:
        return
    mark = MARKS.get(headline.verdict, ":material/drag_handle:")
    st.markdown(f"### {mark} {plain(headline.verdict.capitalize())} for {plain(found.target)}")
    stats(_figures(found))
    st.caption(plain(found.trust))
    st.plotly_chart(learning_figure(found), key="effect/proxy/curves", config={"displayModeBar": False})
    st.markdown("\n".join(f"- {plain(sentence)}." for sentence in found.sentences))
    if found.caution:
        st.caption(f":material/info: {plain(found.caution)}")
    st.dataframe(
        [
            {
                "trained on": arm.title,
                "share of the corpus": f"{arm.share:.1%}",
                "documents": arm.documents,
                "size": size(arm.bytes),
                "times read": f"{arm.passes:.2f}",
                "worth of what was read": f"{arm.effective / found.tokens:.0%}",
                "final bits per byte": ", ".join(f"{curve.final:.3f}" for curve in arm.curves),
            }
            for arm in found.arms
        ],
        hide_index=True, row_height=30,
    )  # fmt: skip
    st.caption(
        f"{found.parameters:,} parameters, {found.reading} read by each of {found.seeds} seed(s) per "
        f"selection, {found.precision} on {found.device}; scored on {found.scored_texts:,} texts "
        f"({size(found.scored_bytes)}). Repeats count as effective bytes (arXiv 2305.16264). Intervals of the first "
        "two numbers are 95% over seeds, those of differences two standard deviations."
    )


def _figures(found: ProxyEffect) -> list[Stat]:
    """Return the two numbers and the difference that decides."""
    shown = []
    if found.speed_up is not None:
        ratio = found.speed_up.interval
        shown.append(
            Stat("Speed-up over random", f"{ratio.middle:.2f}×", _span(ratio.low, ratio.high, "{:.2f}×"),
                 help="Bytes that random selections need, divided by those the recipe needs for the same loss")
        )  # fmt: skip
    if found.data_share is not None:
        shown.append(
            Stat("Share that equals all", *_share(found.data_share),
                 help="Smallest share of the data, chosen by the recipe, whose models are no worse than those of all")
        )  # fmt: skip
    for item in found.differences[:2]:
        shown.append(
            Stat(f"Against {item.against}: {item.verdict}", f"{item.mean:+.3f}", f"{item.low:+.3f} to {item.high:+.3f}",
                 help="Difference in target bits per byte, fewer are better")
        )  # fmt: skip
    return shown


def _share(found: DataShare) -> tuple[str, str]:
    """Return the share and a note: its interval, that it is a bound, or how many seeds reach it."""
    share = found.interval
    if share is None:
        return "none", f"of those tried, up to {found.largest:.0%}"
    if found.outcome == "in part":
        return "uncertain", f"{found.reached} of {found.seeds} seeds"
    if max(share.values) <= found.smallest:
        return f"≤ {found.smallest:.1%}", "the smallest tried"
    return f"{share.middle:.1%}", _span(share.low, share.high, "{:.1%}")


def _span(low: float | None, high: float | None, form: str) -> str:
    return "one seed, no interval" if low is None or high is None else f"{form.format(low)} to {form.format(high)}"
