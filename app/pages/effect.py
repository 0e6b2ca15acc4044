"""Effect: does the recipe help? Measured against random selections of the same size, with the interval beside it."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.effect.headline import find_general, headline_of, small_target
from tamis.analytics.effect.proxy_agreement import NGRAM, trust_sentence
from tamis.analytics.effect.result import Effect
from tamis.analytics.effect.suggest import SearchTrial
from tamis.analytics.effect.target import TargetEntry, list_targets, save_target
from tamis.analytics.effect.verdict import Difference
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.queries import sample_rows
from tamis.app.dashboard import login, session
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import Stat, count, short, size, stats
from tamis.app.dashboard.page_context import Stage, plain, show_fault, stage
from tamis.app.dashboard.recipe_choices import choose_recipe
from tamis.app.figures.effect import composition_figure, coverage_figure, probe_figure, recipes_figure
from tamis.app.jobs.worker import EFFECT, start_effect
from tamis.app.pages import effect_panels, effect_proxy, effect_search
from tamis.data.errors import TamisError
from tamis.data.jobs import list_jobs
from tamis.data.names import near_name

MOST_TARGET = 2_000
QUICK, PROOF = "Quick look", "Proof with transformers"
MARKS = {"better": ":material/trending_up:", "worse": ":material/trending_down:"}


def page() -> None:
    """Lay out the page."""
    here = stage()
    target = None if here.opened.is_pictured else _target(here)
    found = _measured(here, target)
    recipe = _recipe(here)
    if here.opened.is_pictured or _way() == QUICK:
        _quick(here, target, recipe, found)
    else:
        effect_proxy.show(here, target, recipe)
    if not here.opened.is_pictured:
        effect_panels.show(here, target)


def _way() -> str:
    """Let people choose how the effect is measured; a link keeps the choice."""
    way = str(session.current().setting("effect_way", QUICK))
    key = session.widget_holding("effect/way", way)
    st.segmented_control(
        "Measured by", [QUICK, PROOF], default=way, key=key, label_visibility="collapsed", required=True,
        on_change=lambda: session.choose(effect_way=session.widget_value(key, QUICK)),
    )  # fmt: skip
    return way


def _quick(here: Stage, target: TargetEntry | None, recipe: Recipe, found: list[Effect]) -> None:
    """Show what an n-gram model says about a recipe, or offer to ask it."""
    own = next((effect for effect in found if effect.recipe == recipe.digest), None)
    if own is None:
        _offer(here, target, recipe)
    trials = () if here.opened.is_pictured else effect_search.load_trials(here, target)
    if own is not None:
        _verdict(own, target)
        _figures(own, [own, *(effect for effect in found if effect is not own)], trials)
    elif found and not here.opened.is_pictured:
        st.markdown("##### Recipes measured before")
        st.plotly_chart(recipes_figure(found, trials=trials), key="effect/others", config={"displayModeBar": False})


def _target(here: Stage) -> TargetEntry | None:
    """Let people choose the purpose of the data: a saved target, or the current selection."""
    targets = list_targets(here.workspace)
    names = ["", *targets]
    now = session.current()
    current = now.setting("target", "")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        shown = current if current in names else ""
        key = session.widget_holding("effect/target", shown)
        chosen = st.selectbox(
            "Target: texts like those the model is for", names, index=names.index(shown),
            format_func=lambda name: name or "none: no verdict, only what changes", width=340, key=key,
            on_change=lambda: session.choose(target=session.widget_value(key) or None),
        )  # fmt: skip
        name = st.text_input(
            "Name", placeholder="name of a new target", key="effect/name", label_visibility="collapsed", width=180
        )
        if st.button(
            "Save the selection as a target",
            disabled=not (now.selection and name.strip() and login.may("owner")),
            key="effect/save",
        ):
            _save(here, name.strip())
    st.caption("One half of the target, chosen by hash, only serves the verdict; recipes never see it.")
    return targets.get(chosen)


def _save(here: Stage, typed: str) -> None:
    """Store the selected texts, or a hashed sample of many, as a target under the allowed name nearest to the typed."""
    rows = sample_rows(here.scene, which="selected", n=MOST_TARGET)
    try:
        login.demand("owner", to="save a target")
        name = near_name(typed, what="Target name")
        entry = save_target(here.workspace, name, here.opened.texts([int(row) for row in rows]), origin="a selection")
    except TamisError as error:
        show_fault(error)
        return
    session.choose(target=entry.name)
    respelt = "" if name == typed else f" Names have no spaces, so it is called {name}."
    session.say(f"Target {name}: {entry.documents} texts (of at most {MOST_TARGET}, chosen by hash).{respelt}")
    st.rerun()


def _measured(here: Stage, target: TargetEntry | None) -> list[Effect]:
    """Return the effects measured on this corpus for this target, the latest first."""
    found = []
    for job in list_jobs(here.workspace.jobs):
        if job.kind == EFFECT and job.state == "done" and job.params["fingerprint"] == here.facts.corpus:
            try:
                effect = Effect.from_json(here.workspace.value(str(job.result["effect"])))
            except TamisError as error:
                show_fault(error)
                continue
            if effect.target_digest == (target.digest if target else ""):
                found.append(effect)
    return found


def _recipe(here: Stage) -> Recipe:
    """Let people choose the recipe to look at; the live one by default."""
    try:
        with st.columns([2, 3])[0]:
            return choose_recipe(here, "Recipe", key="effect/recipe") or session.current().recipe
    except TamisError as error:
        show_fault(error)
        return session.current().recipe


def _offer(here: Stage, target: TargetEntry | None, recipe: Recipe) -> None:
    """Offer to measure a recipe."""
    job = session.current().setting("effect_job")
    if not recipe.active:
        st.caption("Add a rule first: the effect of a recipe is measured against random selections of the same size.")
        return
    st.markdown(
        "A linear classifier learns the labels from the vectors of the pictures that the recipe keeps and from as many "
        "random ones; both name the labels of pictures that neither has seen. Coverage and mix stand beside it."
        if here.opened.is_pictured
        else "The recipe trains a small n-gram model on the same number of bytes as random selections do; "
        "the difference is tested on texts no recipe has seen. Minutes on two cores."
    )
    if st.button("Measure the effect", type="primary", key="effect/measure", disabled=not login.may("owner")):
        login.demand("owner", to="start a measurement")
        started = start_effect(here.opened.study.corpus, here.workspace, recipe, target.name if target else "")
        session.choose(effect_job=started.id)
        st.rerun()
    if job:
        watch(here.workspace, str(job), "effect_job")


def _verdict(effect: Effect, target: TargetEntry | None) -> None:
    """Show the verdict with its price, and every other comparison with its interval."""
    headline, general = headline_of(effect), find_general(effect)
    if headline is not None and effect.headline is not None and general is not None:
        icon = ":material/swap_vert:" if headline.mixed else MARKS.get(headline.verdict, ":material/drag_handle:")
        st.markdown(f"### {icon} {plain(headline.title)}")
        stats([_figure(name, item) for name, item in ((effect.target, effect.headline), ("General", general))])
        proxy = effect.headline.proxy
        st.caption(
            "Bits per byte, fewer are better, with the interval of two standard deviations. "
            f"{proxy[:1].upper()}{proxy[1:]}. {plain(trust_sentence(NGRAM))}"
        )
        if target is not None and (warning := small_target(effect, target.documents)):
            st.warning(plain(warning), icon=":material/warning:")
    else:
        st.markdown("### What changes")
    one, all_kept = (
        size(number) if effect.unit == "bytes" else f"{count(number)} {effect.unit}"
        for number in (effect.budget_bytes, effect.selection_bytes)
    )
    st.caption(
        f"{count(effect.documents)} documents kept · every training set got {one} of the {all_kept} the recipe keeps"
    )
    st.dataframe([_row(item) for item in effect.differences], hide_index=True, row_height=30)
    for note in effect.notes:
        st.caption(f":material/info: {plain(note)}")


def _figure(name: str, item: Difference) -> Stat:
    return Stat(
        f"{name}: {item.verdict}", f"{item.mean:+.4f}", f"{item.low:+.4f} to {item.high:+.4f}",
        help=f"{item.recipe:.4f} against {item.other:.4f} of {item.against} draws",
    )  # fmt: skip


def _row(item: Difference) -> dict[str, object]:
    return {
        "figure": item.figure,
        "against": item.against,
        "recipe": round(item.recipe, 4),
        "other": round(item.other, 4),
        "difference": f"{item.mean:+.4f}",
        "interval": f"{item.low:+.4f} to {item.high:+.4f}",
        "draws": item.draws,
        "verdict": item.verdict,
    }


def _figures(own: Effect, effects: list[Effect], trials: tuple[SearchTrial, ...]) -> None:
    left, right = st.columns(2, gap="medium")
    unit = "tokens" if own.unit == "bytes" else own.unit
    quiet = {"displayModeBar": False}
    with left:
        if own.headline is not None:
            st.markdown("##### Recipes and random selections")
            st.plotly_chart(recipes_figure(effects, trials=trials), key="effect/scatter", config=quiet)
        for place, coverage in enumerate(own.coverage):
            st.plotly_chart(coverage_figure(coverage), key=f"effect/coverage/{place}", config=quiet)
    with right:
        if own.probe is not None:
            st.markdown("##### Probe accuracy against fraction kept")
            st.plotly_chart(probe_figure(own.probe), key="effect/probe", config=quiet)
        if own.compositions:
            st.markdown("##### What the mix becomes")
            for place, tab in enumerate(st.tabs([item.column for item in own.compositions])):
                with tab:
                    figure = composition_figure(own.compositions[place], unit=unit)
                    st.plotly_chart(figure, key=f"effect/mix/{place}", config=quiet)
    repetition = own.repetition
    warning = "" if repetition.warning == "none" else f" · {repetition.warning}: too many copies"
    st.caption(
        f"{short(repetition.trained_tokens)} {unit}, worth {short(repetition.effective_tokens)} once repeats are "
        f"discounted · {repetition.mean_copies:.2f} copies on average, {repetition.max_copies} at most · "
        f"{100 * repetition.duplicates_left:.1f}% of kept documents still have a twin{warning}"
    )
