"""Recipes as proposals: every version stays, only the newest is judged, and an approved bundle cannot change unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tamis.analytics.export.bundle import LOCK_FILE, RECIPE_FILE, Bundle
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.proposals import (
    Proposal,
    make_proposal,
    make_remark,
    make_verdict,
    proposals_of,
    protect,
    seal,
)
from tamis.app.cli import main
from tamis.data.errors import RecipeError, SettingError, TamisError
from tamis.data.people import change_people
from tamis.data.reviews import Event, ReviewStore
from tamis.data.workspace import CorpusEntry, Workspace


def recipe(least: int = 12) -> Recipe:
    return Recipe().with_operator(OPERATORS.build("signal_range", {"signal": "n_tokens", "min": least}))


def first(name: str = "web") -> tuple[Event, Proposal]:
    event = make_proposal(name, recipe(), who="Ada", message="a start")
    return event, proposals_of([event])[0]


def test_a_proposal_holds_the_recipe_it_was_made_of() -> None:
    event, proposal = first()
    assert proposal.newest.recipe() == recipe()
    assert (proposal.newest.number, proposal.newest.who, proposal.newest.state) == (1, "Ada", "proposed")
    assert event.value == recipe().digest


def test_every_version_stays_and_going_back_is_a_new_one() -> None:
    events: list[Event] = []
    for least in (12, 20, 12):
        known = proposals_of(events)
        events.append(make_proposal("web", recipe(least), who="Ada", known=known[0] if known else None))
    proposal = proposals_of(events)[0]
    assert [one.recipe() for one in proposal.versions] == [recipe(12), recipe(20), recipe(12)]
    assert len({one.key for one in proposal.versions}) == 3


def test_the_same_version_twice_is_refused_and_a_retry_adds_nothing(tmp_path: Path) -> None:
    event, proposal = first()
    store = ReviewStore(f"sqlite:///{tmp_path / 'reviews.sqlite'}")
    assert store.add(event)
    assert not store.add(make_proposal("web", recipe(), who="Ada", message="pressed twice"))
    store.close()
    with pytest.raises(RecipeError, match="newest version"):
        make_proposal("web", recipe(), who="Grace", known=proposal)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", "x" * 97])
def test_names_of_proposals_are_checked(name: str) -> None:
    with pytest.raises(SettingError, match="Name"):
        make_proposal(name, recipe(), who="Ada")


def test_a_recipe_that_does_nothing_cannot_be_proposed() -> None:
    with pytest.raises(RecipeError, match="nothing to approve"):
        make_proposal("web", Recipe(), who="Ada")


def test_the_last_opinion_decides_and_all_are_kept() -> None:
    event, proposal = first()
    events = [event, make_verdict(proposal, proposal.newest, "approved", who="Grace")]
    proposal = proposals_of(events)[0]
    assert proposal.newest.state == "approved"
    events.append(make_verdict(proposal, proposal.newest, "changes asked", who="Rosa", message="too strict"))
    proposal = proposals_of(events)[0]
    assert proposal.newest.state == "changes asked"
    assert [(one.who, one.verdict) for one in proposal.newest.opinions] == [
        ("Grace", "approved"),
        ("Rosa", "changes asked"),
    ]


def test_a_newer_version_leaves_the_approved_one_in_force() -> None:
    event, proposal = first()
    events = [event, make_verdict(proposal, proposal.newest, "approved", who="Grace")]
    events.append(make_proposal("web", recipe(30), who="Ada", known=proposals_of(events)[0]))
    proposal = proposals_of(events)[0]
    assert [version.state for version in proposal.versions] == ["approved", "proposed"]


def test_only_the_newest_version_is_judged_and_changes_need_a_reason() -> None:
    event, old = first()
    now = proposals_of([event, make_proposal("web", recipe(30), who="Ada", known=old)])[0]
    with pytest.raises(RecipeError, match="newest"):
        make_verdict(now, old.newest, "approved", who="Grace")
    with pytest.raises(RecipeError, match="which changes"):
        make_verdict(now, now.newest, "changes asked", who="Grace", message=" ")
    with pytest.raises(RecipeError, match="verdict"):
        make_verdict(now, now.newest, "perhaps", who="Grace")


def test_comments_belong_to_the_recipe_or_to_one_of_its_steps() -> None:
    event, proposal = first()
    step = recipe().steps[0].id
    remarks = [make_remark(proposal, "why so few?", who="Grace"), make_remark(proposal, "12?", who="Rosa", step=step)]
    events = [event, *remarks]
    found = proposals_of(events)[0].remarks
    assert [(one.who, one.step, one.text, one.version) for one in found] == [
        ("Grace", "", "why so few?", 1),
        ("Rosa", step, "12?", 1),
    ]
    with pytest.raises(RecipeError, match="no such step"):
        make_remark(proposal, "?", who="Rosa", step="elsewhere")
    with pytest.raises(RecipeError, match="Say something"):
        make_remark(proposal, "  ", who="Rosa")


def test_an_altered_recipe_is_not_the_one_proposed() -> None:
    event, _ = first()
    altered = replace(event, context={**event.context, "recipe": recipe(99).to_dict()})
    with pytest.raises(RecipeError, match="not the one"):
        proposals_of([altered])[0].newest.recipe()
    for content in ({}, [], "text", None):
        with pytest.raises(RecipeError):
            proposals_of([replace(event, context={"recipe": content})])[0].newest.recipe()


@given(st.permutations(range(4)))
def test_opinions_before_their_version_count_for_nothing_and_break_nothing(order: list[int]) -> None:
    event, proposal = first()
    events = [
        event,
        make_verdict(proposal, proposal.newest, "approved", who="Grace"),
        make_remark(proposal, "well", who="Grace"),
        make_proposal("other", recipe(40), who="Rosa"),
    ]
    shuffled = [events[place] for place in order]
    found = {one.name: one for one in proposals_of(shuffled)}
    assert set(found) == {"web", "other"}
    approved = order.index(1) > order.index(0)
    assert (found["web"].newest.state == "approved") is approved


def test_the_seal_shows_that_an_approved_bundle_was_changed(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / RECIPE_FILE).write_text(recipe().to_yaml(), "utf-8")
    (folder / LOCK_FILE).write_text("{}", "utf-8")
    bundle = Bundle(folder, recipe(), None)
    event, proposal = first()
    approval = make_verdict(proposal, proposal.newest, "approved", who="Grace", bundle=bundle)
    protect(bundle)
    assert all(path.stat().st_mode & 0o222 == 0 for path in folder.iterdir())
    found = proposals_of([event, approval])[0].newest.approval
    assert found is not None and (found.bundle, found.seal) == ("bundle", seal(bundle))
    (folder / LOCK_FILE).chmod(0o644)
    (folder / LOCK_FILE).write_text("{ }", "utf-8")
    assert seal(bundle) != found.seal
    with pytest.raises(RecipeError, match="another recipe"):
        make_verdict(proposal, proposal.newest, "approved", who="Grace", bundle=Bundle(folder, recipe(99), None))


def command(*arguments: str) -> str:
    result = CliRunner().invoke(main.app, ["proposals", *arguments])
    assert result.exception is None or isinstance(result.exception, TamisError), result.exception
    return str(result.exception) if result.exception else result.output


def test_commands_propose_comment_and_approve_as_the_page_does(workspace: Workspace, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", docstrings(("json", "collections")))
    workspace.remember(CorpusEntry("docs", str(corpus)))
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe().to_yaml(), "utf-8")
    assert "version 1 proposed" in command("propose", "web", str(file), "--by", "Ada", "-m", "a start")
    assert "newest version" in command("propose", "web", str(file), "--by", "Grace")
    command("comment", "web", "why 12?", "--by", "Grace", "--step", recipe().steps[0].id)
    assert "changes asked" in command("reject", "web", "--by", "Grace", "-m", "stricter")
    file.write_text(recipe(20).to_yaml(), "utf-8")
    assert "version 2 proposed" in command("propose", "web", str(file), "--by", "Ada")
    assert "no such proposal" in command("approve", "elsewhere", "--by", "Grace", "--corpus", "docs")
    assert "version 2 approved" in command("approve", "web", "--by", "Grace", "--corpus", "docs")

    proposal = proposals_of(ReviewStore.of(workspace.root).events(""))[0]
    approval = proposal.newest.approval
    assert approval is not None
    bundle = Bundle.open(workspace.bundles / approval.bundle)
    assert seal(bundle) == approval.seal and bundle.recipe == recipe(20)
    assert all(path.stat().st_mode & 0o222 == 0 for path in bundle.folder.rglob("*") if path.is_file())
    history = command("list", "web")
    assert "why 12?" in history and "stricter" in history and "approved by Grace" in history
    assert Recipe.from_yaml(command("show", "web", "--version", "1")) == recipe()
    assert "no such version" in command("show", "web", "--version", "3")


def test_commands_ask_for_the_role_of_the_person(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe().to_yaml(), "utf-8")
    change_people(workspace.root, "vera", "viewer")
    change_people(workspace.root, "rosa", "reviewer")
    assert "may not propose" in command("propose", "web", str(file), "--by", "Vera")
    assert "version 1" in command("propose", "web", str(file), "--by", "Rosa")
    assert "may not ask for changes" in command("reject", "web", "--by", "Rosa", "-m", "no")
