"""Recipes as proposals, on the Recipe page: propose, compare with the approved version, comment, approve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from tamis.analytics.export.bundle import Bundle
from tamis.analytics.export.diff import diff_recipes
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.proposals import (
    Proposal,
    Version,
    make_proposal,
    make_remark,
    make_verdict,
    proposals_of,
    seal,
    seal_bundle,
)
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import heading, moment, time_zone
from tamis.app.dashboard.page_context import Stage, brief, plain, show_fault
from tamis.app.pages import recipe_compare
from tamis.data.errors import TamisError
from tamis.data.names import near_name
from tamis.data.people import Role
from tamis.data.reviews import Event, ReviewLog

REFRESH_SECONDS = 3
REMARKS = 8
_MARKS = {"proposed": ":material/pending:", "approved": ":material/verified:", "changes asked": ":material/edit_note:"}


@dataclass(frozen=True)
class ProposalTable:
    """The proposals of the team.

    Attributes:
        here: the stage.
        log: the events that belong to no corpus.
        proposals: the current ones.
    """

    here: Stage
    log: ReviewLog
    proposals: tuple[Proposal, ...]

    def named(self, name: str) -> Proposal | None:
        """Return a proposal by name."""
        return next((item for item in self.proposals if item.name == name), None)


def panel(here: Stage) -> None:
    """Lay out the panel."""
    log = cache.review_log(str(here.workspace.root), "")
    table = ProposalTable(here, log, proposals_of(log.events()))
    _watch(log, _state(table.proposals))
    _propose(table)
    if not table.proposals:
        st.caption("No recipe has been proposed yet. A proposal keeps every version, and owners approve one.")
        return
    names = [item.name for item in table.proposals]
    asked = str(session.current().setting("proposal", ""))
    chosen = st.selectbox(
        "Proposal", names, index=names.index(asked) if asked in names else 0,
        key=session.widget("team", "name", asked, str(len(names))),
    )  # fmt: skip
    if chosen != asked:
        session.choose(proposal=chosen)
        st.rerun()
    _show(table, _known(table, chosen))


def _known(table: ProposalTable, name: str) -> Proposal:
    found = table.named(name)
    assert found is not None
    return found


def _state(proposals: tuple[Proposal, ...]) -> int:
    return sum(len(item.versions) + len(item.remarks) + sum(len(one.opinions) for one in item.versions)
               for item in proposals)  # fmt: skip


def _watch(log: ReviewLog, seen: int) -> None:
    """Run the page again when somebody else adds an event."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def look() -> None:
        if _state(proposals_of(log.events())) != seen:
            st.rerun()

    look()


def _propose(table: ProposalTable) -> None:
    """Offer to propose the live recipe."""
    who, recipe = login.person(), session.current().recipe
    if not who.name:
        st.caption("Type your name in the rail, then you can propose this recipe.")
        return
    with st.form("team/propose", border=True):
        cells = st.columns([2, 3], vertical_alignment="bottom")
        name = cells[0].text_input(
            "Name", value=str(session.current().setting("proposal", "")), max_chars=96, placeholder="web-english"
        )
        message = cells[1].text_input("What is new", max_chars=500, placeholder="why this version")
        able = bool(recipe.active) and login.may("reviewer")
        pressed = st.form_submit_button("Propose the live recipe", type="primary", disabled=not able)
        called = _propose_as(table, name, recipe, message) if pressed else None
        if called is not None:
            session.choose(proposal=called)
            if called != name.strip():
                session.say(f"Names have no spaces, so the proposal is called {called}.")
            st.rerun()


def _propose_as(table: ProposalTable, typed: str, recipe: Recipe, message: str) -> str | None:
    """Propose a recipe under the allowed name nearest to the typed one; return the name, None after an error."""
    try:
        name = near_name(typed.strip(), what="Name of a proposal")
    except TamisError as error:
        show_fault(error)
        return None
    known = table.named(name)
    stored = _store(table.log, lambda by: make_proposal(name, recipe, who=by, message=message, known=known))
    return name if stored else None


def _store(
    log: ReviewLog, event: Callable[[str], Event], *, needed: Role = "reviewer", to: str = "propose recipes"
) -> bool:
    """Store an event under the person's name; on an error, show it and return False."""
    try:
        log.store.add(event(login.demand(needed, to=to).name))
    except TamisError as error:
        show_fault(error)
        return False
    return True


def _show(table: ProposalTable, proposal: Proposal) -> None:
    """Show one proposal: its newest version against the approved one, the comments, and its history."""
    newest = proposal.newest
    st.markdown(
        f"{_MARKS[newest.state]} **Version {newest.number}: {newest.state}** · proposed by {plain(newest.who)}, "
        f"{moment(newest.at)}"
    )
    if newest.message:
        st.text(newest.message)
    _judge(table, proposal)
    before = next((one for one in reversed(proposal.versions[:-1]) if one.state == "approved"), None)
    try:
        recipe = newest.recipe()
        _difference(table.here, before, recipe)
    except TamisError as error:
        show_fault(error)
        return
    _remarks(table, proposal, recipe)
    _history(proposal)


def _difference(here: Stage, before: Version | None, recipe: Recipe) -> None:
    """Show what the newest version changes."""
    heading("Changes", f"against version {before.number}" if before else "nothing was approved before")
    base = before.recipe() if before else Recipe()
    changes = diff_recipes(base, recipe)
    for change in changes:
        st.text(f"{change.change}  {change.step}: {change.after or change.before}")
    if not changes:
        st.text("the rules are the same")
    if before is not None and st.toggle("Compare the documents", key=session.widget("team", "compare", before.key)):
        recipe_compare.documents(here, base, recipe, name="team")


def _judge(table: ProposalTable, proposal: Proposal) -> None:
    """Offer verdicts to owners, and the version to everyone."""
    newest, here = proposal.newest, table.here
    for opinion in newest.opinions:
        own = ", their own proposal" if opinion.who == newest.who and opinion.verdict == "approved" else ""
        st.text(f"{opinion.verdict} by {opinion.who}{own}, {moment(opinion.at)}"
                f"{': ' if opinion.message else ''}{opinion.message}")  # fmt: skip
    if newest.approval is not None and newest.approval.bundle:
        _sealed(here, newest.approval.bundle, newest.approval.seal)
    owner, ready = login.may("owner"), newest.state != "approved"
    words = st.text_input(
        "Why", key=session.widget("team", "why", newest.key, str(len(newest.opinions))), max_chars=500,
        placeholder="reason, needed to ask for changes", label_visibility="collapsed", disabled=not owner,
    )  # fmt: skip
    with st.container(horizontal=True, gap="small"):
        approve = st.button("Approve", key="team/approve", icon=":material/verified:", disabled=not (owner and ready))
        change = st.button("Ask for changes", key="team/change", icon=":material/edit_note:", disabled=not owner)
        st.button("Open this version", key="team/open", on_click=_open, args=(newest,), type="tertiary")
    if not owner:
        st.caption("Owners approve.")
    if approve and _approve(table, proposal, words or ""):
        st.rerun()
    if change and _store(
        table.log,
        lambda by: make_verdict(proposal, newest, "changes asked", who=by, message=words or ""),
        needed="owner", to="ask for changes",
    ):  # fmt: skip
        st.rerun()


def _approve(table: ProposalTable, proposal: Proposal, words: str) -> bool:
    """Export the bundle of the newest version, make it read-only, and store the approval with its seal."""
    here, newest = table.here, proposal.newest
    try:
        login.demand("owner", to="approve recipes")
        recipe, study = newest.recipe(), here.opened.study
        with st.spinner("Exporting the bundle …"):
            study.measure(recipe)
            bundle = seal_bundle(study, recipe)
    except TamisError as error:
        show_fault(error)
        return False
    return bool(_store(
        table.log,
        lambda by: make_verdict(proposal, newest, "approved", who=by, message=words, bundle=bundle),
        needed="owner", to="approve recipes",
    ))  # fmt: skip


def _sealed(here: Stage, name: str, sealed: str) -> None:
    """Show where the approved bundle is and whether it is unchanged since the approval."""
    try:
        same = seal(Bundle.open(here.workspace.bundles / name)) == sealed
    except (TamisError, OSError):
        same = False
    if same:
        st.caption(f":material/lock: Bundle {plain(name)}: unchanged since the approval, seal {sealed[:16]}")
    else:
        st.caption(f":material/warning: Bundle {plain(name)} is not what was approved; do not run it.")


def _open(version: Version) -> None:
    try:
        recipe = version.recipe()
    except TamisError as error:
        session.say(brief(error))
        return
    adopt(recipe=recipe)


def _remarks(table: ProposalTable, proposal: Proposal, recipe: Recipe) -> None:
    heading("Comments", f"{len(proposal.remarks)}")
    for remark in proposal.remarks[-REMARKS:]:
        about = f" on {remark.step}" if remark.step else ""
        st.text(f"{remark.who}{about}, {moment(remark.at)}: {remark.text}")
    if not login.may("reviewer") or not login.person().name:
        return
    with st.form(session.widget("team", "comment", str(len(proposal.remarks))), border=False, clear_on_submit=True):
        cells = st.columns([3, 5, 1.6], vertical_alignment="bottom")
        step = cells[0].selectbox(
            "About", ["", *(step.id for step in recipe)], format_func=lambda name: name or "the recipe",
            label_visibility="collapsed",
        )  # fmt: skip
        text = cells[1].text_input("Comment", max_chars=1000, label_visibility="collapsed", placeholder="Comment")
        if cells[2].form_submit_button("Send", width="stretch") and _store(
            table.log, lambda by: make_remark(proposal, text, who=by, step=step or ""), to="comment on recipes"
        ):
            st.rerun()


def _history(proposal: Proposal) -> None:
    heading("Versions", f"the newest first; none is ever changed; times in {time_zone()}")
    st.dataframe(
        [
            {"version": one.number, "state": one.state, "who": one.who, "when": moment(one.at), "why": one.message,
             "digest": one.digest[:8]}
            for one in reversed(proposal.versions)
        ],
        hide_index=True, row_height=28,
    )  # fmt: skip
    if len(proposal.versions) > 1:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            number = st.selectbox("Version", [one.number for one in reversed(proposal.versions)], key="team/version")
            st.button("Open", key="team/older", on_click=_open, args=(proposal.versions[number - 1],))
