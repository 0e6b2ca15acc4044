"""Overview: what the corpus is, what stands out, what to do next."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from tamis.analytics.figures import share_bars
from tamis.analytics.issues import Issue, find_issues
from tamis.analytics.queries import group_counts, totals
from tamis.analytics.worker import start_analysis
from tamis.app import cache, session
from tamis.app.job_view import watch
from tamis.app.library import plan_of
from tamis.app.look import count, duration, share, short, size
from tamis.app.rail import is_analysed
from tamis.app.stage import Stage, plain, stage, workspace
from tamis.data.workspace import Workspace


def page() -> None:
    """Lay out the page."""
    here, now = workspace(), session.current()
    if not now.corpus:
        st.subheader("Open a corpus to begin")
        st.markdown("In a terminal: `tamis open PATH` for Parquet, JSONL or CSV, or `tamis demo --open` to try it out.")
        return
    if not is_analysed(here, now.corpus):
        _missing(here, now.corpus)
        return
    _analysed(stage())


def _analysed(here: Stage) -> None:
    sums = here.ask(totals)
    _headline(here, sums.all.documents, sums.all.tokens, sums.all.bytes)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown("##### What stands out")
        for issue in here.ask(find_issues):
            _card(issue, sums.all.documents)
    with right:
        for name in ("source", "lang", "label"):
            if name in here.facts.columns:
                _groups(here, name)
    _files(here)


def _headline(here: Stage, documents: int, tokens: int, size_bytes: int) -> None:
    facts = here.facts
    cells = st.columns(6, gap="small")
    cells[0].metric("Documents", count(documents), border=True, help="Exact.")
    cells[1].metric("Tokens", short(tokens), border=True, help="Exact; tokenizer as the manifest says.")
    cells[2].metric("Size", size(size_bytes), border=True, help="UTF-8 bytes of the texts, exact.")
    for cell, name, title in ((cells[3], "source", "Sources"), (cells[4], "lang", "Languages")):
        if name in facts.columns:
            cell.metric(title, count(here.ask(group_counts, column=name, limit=1).distinct), border=True, help="Exact.")
    if "norm_group" in facts.columns:
        extra = sum(issue.documents for issue in here.ask(find_issues) if issue.name == "duplicates")
        cells[5].metric("Duplicates", share(extra, documents), border=True, help="Documents that repeat another one.")


_MARKS = {"high": ":material/error:", "medium": ":material/warning:", "low": ":material/info:"}


def _card(issue: Issue, documents: int) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"{_MARKS[issue.severity]} **{share(issue.documents, documents)}** {plain(issue.title)}", width="stretch"
        )
        st.caption(f"{count(issue.documents)} documents", width="content")
        if st.button("Select", key=session.widget("issue", issue.name), help=issue.help):
            session.edit(selection=issue.rules)
            st.rerun()


def _groups(here: Stage, column: str) -> None:
    found = here.ask(group_counts, column=column, limit=8)
    title = here.facts.info(column).title
    rows = found.table.to_pylist()
    more = f" · {count(found.distinct)}, the largest {len(rows)} shown" if found.distinct > len(rows) else ""
    st.markdown(f"##### {plain(title)}{more}")
    figure = share_bars(
        [row["value"] or "(none)" for row in rows],
        [row["kept"] for row in rows],
        [row["documents"] - row["kept"] for row in rows],
        height=58 + 20 * len(rows),
        x="",
    )
    picked = st.plotly_chart(
        figure, key=session.widget("groups", column), on_select="rerun", selection_mode="points",
        config={"displayModeBar": False}, alt=f"Documents by {title}",
    )  # fmt: skip
    points = picked["selection"]["points"] if picked else []
    if points:
        _select_value(here, column, rows[int(points[0]["y"])]["value"])


def _select_value(here: Stage, column: str, value: str | None) -> None:
    from tamis.analytics.operators_rows import Category

    if value is None:
        return
    rule = Category(column=column, values=(value,))
    if session.current().selection != (rule,):
        session.edit(selection=(rule,))
        st.rerun()


def _files(here: Stage) -> None:
    analysis = here.opened.analysis
    if analysis is None:
        return
    corpus = analysis.corpus
    with st.expander(f"Files, columns and roles · {len(corpus.files)} files, fingerprint {corpus.fingerprint[:12]}"):
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
        roles = ", ".join(f"{role}: {column}" for role, column in corpus.roles.known().items())
        st.text(
            f"Roles   {roles}\nColumns {', '.join(corpus.schema.names)}\nErrors  {here.facts.errors} rows without text"
        )
        for note in (*corpus.notes, *analysis.documents.notes):
            st.text(note)
        _roles(here)


def _roles(here: Stage) -> None:
    """Offer to give the roles to other columns."""
    assert here.opened.analysis is not None
    corpus = here.opened.analysis.corpus
    names = ["(none)", *corpus.schema.names]
    with st.form("roles", border=False):
        cells = st.columns(6, vertical_alignment="bottom")
        chosen = {}
        for cell, role in zip(cells, ("text", "id", "source", "language", "label"), strict=False):
            now = corpus.roles.known().get(role, "(none)")
            options = names if now in names else [*names, now]
            chosen[role] = cell.selectbox(role.capitalize(), options, index=options.index(now))
        if cells[5].form_submit_button("Change roles"):
            roles = {role: "" if column == "(none)" else column for role, column in chosen.items()}
            corpus.with_roles(roles)
            entry = here.workspace.corpus(here.opened.name)
            here.workspace.remember(type(entry)(entry.name, entry.path, roles, entry.fingerprint))
            cache.corpus.clear()
            cache.opened.clear()
            st.rerun()


@dataclass(frozen=True)
class _Plan:
    seconds: float
    disk: int


def _missing(here: Workspace, name: str) -> None:
    """Show what the analysis still needs, and its job."""
    corpus = cache.corpus(cache.key_of(here, name))
    plan = plan_of(here, corpus)
    missing = [step for step in plan if not step.done]
    cost = _Plan(sum(step.estimate.seconds for step in missing), sum(step.estimate.disk_bytes for step in missing))
    st.subheader(f"{count(corpus.rows)} rows, not analysed yet")
    st.caption(f"{len(missing)} of {len(plan)} steps to do: about {duration(cost.seconds)}, {size(cost.disk)} on disk")
    st.dataframe(
        [
            {
                "step": step.spec.title,
                "state": "done" if step.done else "to do",
                "estimate": "" if step.done else duration(step.estimate.seconds),
                "disk": "" if step.done else size(step.estimate.disk_bytes),
            }
            for step in plan
        ],
        hide_index=True,
    )
    job = session.current().setting("job")
    if st.button("Start the analysis", type="primary", key="analysis/start"):
        session.choose(job=start_analysis(corpus, here).id)
        st.rerun()
    if job:
        watch(here, str(job), "job")
