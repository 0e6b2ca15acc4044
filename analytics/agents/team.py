"""Proposals of agents: they go to the team like those of people, and only a person approves them."""

from __future__ import annotations

from dataclasses import dataclass

from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.proposals import Proposal, make_proposal, proposals_of
from tamis.data import people
from tamis.data.errors import RecipeError, SettingError
from tamis.data.people import People
from tamis.data.reviews import ReviewStore
from tamis.data.workspace import Workspace


@dataclass(frozen=True)
class ListedProposal:
    """A proposal: its newest version and what people said.

    Attributes:
        name: of the proposal.
        version, state, who: of the newest version.
        message: its reasons.
        said: opinions on the newest version and remarks, as sentences, in order.
        recipe: of the newest version, as YAML.
    """

    name: str
    version: int
    state: str
    who: str
    message: str
    said: tuple[str, ...]
    recipe: str


@dataclass(frozen=True)
class Proposed:
    """A stored proposal; ``state`` stays ``proposed`` until a person decides."""

    name: str
    version: int
    digest: str
    state: str = "proposed"
    next: str = "A person approves it or asks for changes, on the tab Team of the page Recipe."


def list_proposals(store: ReviewStore) -> list[ListedProposal]:
    """Return the proposals of the team by name."""
    return [_listed(proposal) for proposal in proposals_of(store.events(""))]


def proposed_recipe(store: ReviewStore, name: str) -> Recipe:
    """Return the newest version of a proposal.

    Raises:
        SettingError: there is none of this name.
    """
    known = {proposal.name: proposal for proposal in proposals_of(store.events(""))}
    if name not in known:
        raise SettingError("There is no such proposal", value=name, allowed=known or "none yet")
    return known[name].newest.recipe()


def propose(workspace: Workspace, store: ReviewStore, name: str, recipe: Recipe, *, who: str, reasons: str) -> Proposed:
    """Store a recipe as a proposal, or as a new version of one, in the name of a person.

    Raises:
        AccessError: the person may not propose recipes.
        RecipeError: no reasons, no active rule, or nothing new.
        SettingError: the name is not allowed.
    """
    people.check_person(who)
    people.require(People.of(workspace.root).role(who, otherwise="owner"), "reviewer", to="propose recipes")
    if not reasons.strip():
        raise RecipeError("Say why", fix="write what you found and what each step is for")
    known = next((one for one in proposals_of(store.events("")) if one.name == name), None)
    event = make_proposal(name, recipe, who=who, message=reasons, known=known)
    store.add(event)
    [stored] = [one for one in proposals_of(store.events("")) if one.name == name]
    return Proposed(name, stored.newest.number, recipe.digest)


def _listed(proposal: Proposal) -> ListedProposal:
    newest = proposal.newest
    said = [f"{one.who}: {one.verdict} {one.message}".strip() for one in newest.opinions]
    said += [f"{one.who}{f' on {one.step}' if one.step else ''}: {one.text}" for one in proposal.remarks]
    return ListedProposal(
        proposal.name, newest.number, newest.state, newest.who, newest.message, tuple(said), newest.recipe().to_yaml()
    )
