"""Overview: the corpus, its issues, the next steps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from tamis.analytics.effect.charts import spark
from tamis.analytics.map.sample_map import find_displacement
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.rows import Category
from tamis.analytics.steps.corpus_columns import left_out_notes, unread_columns
from tamis.analytics.steps.part_counts import PartCounts
from tamis.analytics.steps.pipeline import PlannedStep
from tamis.analytics.study.queries import (
    Issue,
    SceneTotals,
    count_values,
    extent,
    find_issues,
    group_counts,
    histogram,
    totals,
)
from tamis.app.dashboard import cache, login, session, waiting
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.conversation_view import KIND_TITLES, role_counts
from tamis.app.dashboard.job_view import time_left, watch
from tamis.app.dashboard.look import Stat, count, duration, heading, picture, share, short, size, stats
from tamis.app.dashboard.page_context import Stage, guard_page, plain, stage, workspace
from tamis.app.dashboard.rail import is_ready
from tamis.app.dashboard.waiting import until_words
from tamis.app.figures.figures import share_bars
from tamis.app.jobs.outlook import Awaited
from tamis.app.jobs.worker import find_analysis
from tamis.app.pages import (
    audit_cards,
    corpora_beside,
    drift_card,
    errors_list,
    first_look,
    overview_pictures,
    roles_form,
    shape_form,
    tier_choice,
)
from tamis.data.corpus import Corpus
from tamis.data.parts import ROLES
from tamis.data.workspace import Workspace

REFRESH_SECONDS = 1.5
SEVERITIES = ("high", "medium", "low")
LATER = {"exact": "duplicates", "signals": "signals", "tokens": "tokens", "map": "the map"}
"""What the findings still wait for, by the step that makes it."""
GLANCE = ("n_tokens", "alpha_word_share", "mean_word_length", "stop_words", "duplicate_5gram_share", "outlier")


def page() -> None:
    """Lay out the page."""
    here, now = workspace(), session.current()
    if not now.corpus:
        st.subheader("Open a corpus to begin")
        st.markdown(
            "In a terminal: `tamis open PATH` for Parquet, JSON, CSV, Arrow, text, tar or WARC, "
            "or `tamis demo --open` to try it out."
        )
        return
    if not is_ready():
        corpus = first_look.overview(here, now.corpus)
        heading("Analysis")
        _analysis(here, corpus)
        return
    _analysed(stage())


def _analysed(here: Stage) -> None:
    missing = here.opened.missing
    if missing:
        _unfinished(here)
    issues = here.ask(find_issues)
    _headline(here, here.ask(totals), issues)
    if here.opened.analysis is not None:
        corpus = here.opened.analysis.corpus
        known = "columns" in here.opened.analysis.artifacts
        unread = unread_columns(corpus, here.facts.columns, here.opened.study.evidence.steps) if known else None
        st.caption(roles_form.reads(corpus, unread))
        shape_form.note(here.workspace, here.opened.name, corpus)
        _turns(here)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        recipe = here.scene.outcome is not None and bool(here.scene.outcome.steps)
        kept = "; at the end what the recipe still keeps of them" if recipe else ""
        heading("What stands out", f"exact, over all documents{kept}")
        with st.container(gap="xsmall"):
            for issue in sorted(issues, key=lambda issue: (SEVERITIES.index(issue.severity), -issue.documents)):
                _issue(here, issue)
        if missing & LATER.keys():
            waiting.say_later(here.workspace, here.opened.study.corpus, LATER)
        audit_cards.show(here)
        _glance(here)
        if here.pictures:
            overview_pictures.some(here)
        elif "signals" in missing:
            first_look.lengths(cache.first_look(here.key.corpus))
    with right:
        if "columns" in missing:
            first_look.groups(cache.first_look(here.key.corpus))
        if here.pictures:
            overview_pictures.errors_by_reason(here)
        for name in overview_pictures.GROUPS if here.pictures else ("source", "lang", "label"):
            if name in here.facts.columns:
                _groups(here, name)
    drift_card.unfold(here)
    corpora_beside.unfold(here)
    _files(here)


def _unfinished(here: Stage) -> None:
    """Show what the analysis still does; if nothing works on it, how to go on stands open."""
    corpus = here.opened.study.corpus
    works = find_analysis(corpus, here.workspace) is not None
    label = "The analysis goes on: what is here is exact, the rest fills in"
    with st.expander(label if works else "The analysis is not complete: what is here is exact", expanded=not works):
        _analysis(here.workspace, corpus)


_COUNTED = {
    "source": "Exact; documents without a source are no source.",
    "lang": "Detected languages, exact.",
    "cluster": "Exact, without the unclustered documents.",
}


def _headline(here: Stage, sums: SceneTotals, issues: Sequence[Issue]) -> None:
    facts = here.facts
    tokens = short(sums.all.tokens) if "n_tokens" in facts.columns else "not yet"
    figures = overview_pictures.headline(here) if here.pictures else [
        Stat("Documents", count(sums.all.documents), help="Exact."),
        Stat("Tokens", tokens, help="Exact; tokenizer as the manifest says."),
        Stat("Text", size(sums.all.bytes), help="UTF-8 bytes of the texts, exact."),
    ]  # fmt: skip
    for name, title in (("source", "Sources"), ("lang", "Languages"), ("cluster", "Clusters")):
        if name in facts.columns and not (name == "lang" and here.pictures):
            figures.append(Stat(title, count(here.ask(count_values, column=name)), help=_COUNTED[name]))
    if "norm_group" in facts.columns:
        extra = sum(issue.documents for issue in issues if issue.name == "duplicates")
        figures.append(
            Stat("Duplicates", share(extra, sums.all.documents), help="Documents whose text repeats another one.")
        )
    if here.scene.outcome is not None and here.scene.outcome.steps:
        figures.append(Stat("Kept", share(sums.kept.documents, sums.all.documents), help="By the live recipe."))
    stats(figures)


def _turns(here: Stage) -> None:
    """Show how many turns and parts the documents have, and the rows that are none."""
    found = PartCounts.read(here.opened.analysis.artifacts)
    if found is not None:
        roles = {role: found.of_role(role) for role in ROLES}
        kinds = [each for each in found.counts if each.kind != "text"]
        apart = [
            f"{count(sum(each.parts for each in kinds if each.kind == kind))} {KIND_TITLES[kind]}"
            for kind in dict.fromkeys(each.kind for each in kinds)
        ]
        st.html(role_counts(found.turns, roles, apart))
    errors = here.opened.study.documents.errors.num_rows
    if errors:
        said = "1 row is no document" if errors == 1 else f"{count(errors)} rows are no documents"
        with st.expander(f"{said}: see why", icon=":material/error:"):
            errors_list.show(here, key="overview/errors")


def _issue(here: Stage, issue: Issue) -> None:
    """Show one finding as a line with its share as a bar, and the button that selects it."""
    part = 100 * issue.documents / max(here.facts.n, 1)
    recipe = here.scene.outcome is not None and bool(here.scene.outcome.steps)
    kept = f'<span class="n">{count(issue.kept)} kept</span>' if recipe else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<div class="tamis-issue {issue.severity}" title="{escape(issue.help)}"><i style="width:{part:.2f}%"></i>'
            f"<em>{issue.severity}</em><b>{share(issue.documents, here.facts.n)}</b>"
            f'<span class="what">{escape(issue.title)}</span>'
            f'<span class="n">{count(issue.documents)}</span>{kept}</div>',
            width="stretch",
        )
        st.button(
            "Select",
            key=session.widget("issue", issue.name),
            help=issue.help,
            on_click=_select,
            args=(issue.rules,),
        )


def _select(rules: tuple[RowOperator, ...]) -> None:
    adopt(selection=rules)


def _glance(here: Stage) -> None:
    """Show the main signals as small histograms, kept over dropped."""
    wanted = overview_pictures.GLANCE if here.pictures else GLANCE
    names = [name for name in wanted if name in here.facts.columns][:6]
    if not names:
        return
    recipe = here.scene.outcome is not None and bool(here.scene.outcome.steps)
    heading("Quality at a glance", f"{'kept below, dropped on top; ' if recipe else ''}a click opens Quality")
    cells = []
    for name in names:
        info, found = here.facts.info(name), here.ask(histogram, column=name, bins=36, scale="auto")
        unit = "" if info.unit == "share" else info.unit
        middle = f"{short(extent(here.facts, name).median)} {unit}".strip()
        bars = picture(spark(found.kept.tolist(), found.dropped.tolist()))
        cells.append(
            f'<button type="button" data-open="signal/{escape(name)}" title="{escape(info.help)}">'
            f"<span>{escape(info.title)}</span>{bars}<small>median {escape(middle)}</small></button>"
        )
    st.html(f'<div class="tamis-glance">{"".join(cells)}</div>')


def _groups(here: Stage, column: str) -> None:
    """Show the largest values of a category; a click selects one."""
    found = here.ask(group_counts, column=column, limit=8)
    title = here.facts.info(column).title
    rows = found.table.to_pylist()
    heading(title, f"the largest {len(rows)} of {count(found.distinct)}" if found.distinct > len(rows) else "")
    figure = share_bars(
        [row["value"] or "(none)" for row in rows],
        [row["kept"] for row in rows],
        [row["documents"] - row["kept"] for row in rows],
        height=14 + 21 * len(rows),
        x="",
        notes=[f"{count(row['documents'])} · {share(row['documents'], here.facts.n)}" for row in rows],
    )
    picked = st.plotly_chart(
        figure, key=session.widget("groups", column), on_select="rerun", selection_mode="points",
        config={"displayModeBar": False}, alt=f"Documents by {title}",
    )  # fmt: skip
    points = picked["selection"]["points"] if picked else []
    if points:
        _select_value(here, column, rows[int(points[0]["y"])]["value"])


def _select_value(here: Stage, column: str, value: str | None) -> None:

    if value is None:
        return
    rule = Category(column=column, values=(value,))
    if session.current().selection != (rule,):
        adopt(selection=(rule,))
        st.rerun()


def _moved(here: Stage) -> list[str]:
    """Return how far the map of all documents lies from that of the sample that was shown before it."""
    made = here.opened.analysis.artifacts
    if "map" not in made:
        return []
    found = find_displacement(here.opened.study.corpus, here.workspace.store, made["documents"], made["map"])
    if found is None:
        return []
    return [
        f"The map of all documents replaced that of a sample: its {count(found.documents)} documents moved by "
        f"{found.median:.0%} of the map's width in the median, {found.turned:.0%} after the turn that fits best"
    ]


def _files(here: Stage) -> None:
    analysis = here.opened.analysis
    corpus = analysis.corpus
    columns = analysis.artifacts.get("columns")
    notes = (*corpus.notes, *analysis.documents.notes, *(left_out_notes(columns) if columns is not None else ()))
    notes = (*notes, *_moved(here))
    said = f", {len(notes)} note{'s' * (len(notes) > 1)}" if notes else ""
    files = f"{count(len(corpus.files))} file{'s' * (len(corpus.files) != 1)}"
    label = f"Files, columns and roles · {files}, fingerprint {corpus.fingerprint[:12]}{said}"
    with st.expander(label):
        st.dataframe(
            [
                {
                    "file": file.name,
                    "format": file.format,
                    "rows": file.rows,
                    "bytes": file.bytes,
                    "sha256": file.sha256,
                }
                for file in corpus.files
            ],
            hide_index=True,
            height=min(260, 38 + 36 * len(corpus.files)),
        )
        known = corpus.roles.known() | {"text": corpus.shape.columns.get("text", corpus.shape.words)}
        roles = ", ".join(f"{role}: {column}" for role, column in known.items())
        what = "rows without text" if corpus.shape.kind == "text" else "rows that are no documents"
        st.text(f"Roles   {roles}\nColumns {', '.join(corpus.schema.names)}\nErrors  {here.facts.errors} {what}")
        for note in notes:
            st.text(note)
        roles_form.show(here.workspace, here.opened.name, corpus)
        shape_form.show(here.workspace, here.opened.name, corpus)
        if not here.opened.missing:
            tier_choice.show(here.workspace, corpus)


@st.fragment(run_every=REFRESH_SECONDS)
@guard_page
def _analysis(here: Workspace, corpus: Corpus) -> None:
    """Show the plan as it stands now, and the job that works on it or the button that starts one."""
    job, plan, awaited = waiting.look(here, corpus)
    missing = [step for step in plan if not step.done]
    if not missing:
        st.caption("Every step is done.")
        return
    when = {each.name: each for each in awaited}
    seconds = sum(step.estimate.seconds for step in missing)
    disk = sum(step.estimate.disk_bytes for step in missing)
    st.caption(f"{len(missing)} of {len(plan)} steps to do: about {duration(seconds)}, {size(disk)} on disk")
    if job is not None:
        title = next((each.title for each in awaited if each.running), job.progress.step or job.state)
        words = ", ".join(filter(None, [title, time_left(job)]))
        st.progress(min(job.progress.fraction, 1.0), text=plain(words))
        stopping = job.cancelling or not login.may("owner")
        if st.button("Stop", key="analysis/stop", disabled=stopping) and not stopping:
            job.cancel()
    else:
        _start(here, corpus)
    done = [step for step in plan if step.done]
    order = {name: place for place, name in enumerate(when)}
    rows = [*done, *sorted(missing, key=lambda step: order[step.spec.name])]
    st.dataframe([_row(step, when.get(step.spec.name)) for step in rows], hide_index=True)


def _row(step: PlannedStep, awaited: Awaited | None) -> dict[str, str]:
    """Return a step as a row of the table: done, running or to do, when it will be there, and its disk space."""
    if awaited is None:
        return {"step": step.spec.title, "state": "done", "there": "", "disk": ""}
    there = f"takes {duration(step.estimate.seconds)}" if awaited.seconds is None else until_words(awaited.seconds)
    state = "running" if awaited.running else "to do"
    return {"step": step.spec.title, "state": state, "there": there, "disk": size(step.estimate.disk_bytes)}


def _start(here: Workspace, corpus: Corpus) -> None:
    """Show how the last analysis ended, and start one."""
    tier_choice.show(here, corpus)
    if name := session.current().setting("job"):
        watch(here, str(name), "job")
    waiting.offer_start(here, corpus)
