"""Commands for recipes as proposals: list, propose, comment, approve or ask for changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import app, err, out, read_text
from tamis.data import people
from tamis.data.errors import SettingError
from tamis.data.people import People, Role
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from tamis.analytics.export.bundle import Bundle
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.review.proposals import Proposal
    from tamis.data.reviews import ReviewStore

proposals = typer.Typer(no_args_is_help=True, help="Recipes that a team proposes, discusses and approves.")
app.add_typer(proposals, name="proposals")

Name = Annotated[str, typer.Argument(help="Name of the proposal.")]
By = Annotated[str, typer.Option("--by", help="Your name, as others see it.")]
Message = Annotated[str, typer.Option("--message", "-m", help="Why.")]


@proposals.command("list")
def list_(
    name: Annotated[
        str | None, typer.Argument(help="Only this proposal, with its history.", show_default=False)
    ] = None,
) -> None:
    """List proposals with their newest version, or the history of one."""
    for proposal in _known(Workspace.default()) if name is None else (_named(Workspace.default(), name),):
        newest = proposal.newest
        out.print(f"{proposal.name:<24} version {newest.number} {newest.state}, by {newest.who}", markup=False)
        if name is None:
            continue
        for one in proposal.versions:
            out.print(f"  {one.number:>3}  {one.digest[:16]}  {one.at[:16]}  {one.who}: {one.message}", markup=False)
            for said in one.opinions:
                out.print(f"       {said.verdict} by {said.who}, {said.at[:16]}: {said.message}", markup=False)
        for remark in proposal.remarks:
            about = f" on {remark.step}" if remark.step else ""
            out.print(f"  {remark.who}{about}, {remark.at[:16]}: {remark.text}", markup=False)


@proposals.command()
def show(
    name: Name,
    version: Annotated[int | None, typer.Option(help="Number of the version.", show_default="the newest")] = None,
) -> None:
    """Print the recipe of a version as YAML."""
    proposal = _named(Workspace.default(), name)
    numbers = {str(one.number): one for one in proposal.versions}
    wanted = str(version or proposal.newest.number)
    if wanted not in numbers:
        raise SettingError("There is no such version", value=version, allowed=numbers)
    out.print(numbers[wanted].recipe().to_yaml(), markup=False, end="")


@proposals.command()
def propose(
    name: Name,
    recipe: Annotated[Path, typer.Argument(help="A recipe.yaml.")],
    by: By,
    message: Message = "",
) -> None:
    """Propose a recipe, or a new version of one."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.review.proposals import make_proposal

    workspace = Workspace.default()
    _demand(workspace, by, "reviewer", to="propose recipes")
    known = next((one for one in _known(workspace) if one.name == name), None)
    event = make_proposal(name, Recipe.from_yaml(read_text(recipe)), who=by, message=message, known=known)
    _store(workspace).add(event)
    out.print(f"{name}: version {known.newest.number + 1 if known else 1} proposed", markup=False)


@proposals.command()
def comment(
    name: Name,
    text: Annotated[str, typer.Argument(help="Text of the comment.")],
    by: By,
    step: Annotated[str, typer.Option(help="Id of the step that the comment is about.", show_default=False)] = "",
) -> None:
    """Comment on a proposal or on one of its steps."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.review.proposals import make_remark

    workspace = Workspace.default()
    _demand(workspace, by, "reviewer", to="comment on recipes")
    _store(workspace).add(make_remark(_named(workspace, name), text, who=by, step=step))


@proposals.command()
def approve(
    name: Name,
    by: By,
    corpus: Annotated[str, typer.Option(help="Corpus of the workspace for which the bundle is exported.")],
    message: Message = "",
) -> None:
    """Approve the newest version: export its bundle, make it read-only, and store its seal."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.review.proposals import make_verdict

    workspace = Workspace.default()
    _demand(workspace, by, "owner", to="approve recipes")
    proposal = _named(workspace, name)
    bundle = _bundle(workspace, proposal.newest.recipe(), corpus)
    event = make_verdict(proposal, proposal.newest, "approved", who=by, message=message, bundle=bundle)
    _store(workspace).add(event)
    out.print(f"{name}: version {proposal.newest.number} approved, {bundle.folder}", markup=False)


@proposals.command()
def reject(name: Name, by: By, message: Message) -> None:
    """Ask for changes to the newest version, with a reason."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.review.proposals import make_verdict

    workspace = Workspace.default()
    _demand(workspace, by, "owner", to="ask for changes")
    proposal = _named(workspace, name)
    event = make_verdict(proposal, proposal.newest, "changes asked", who=by, message=message)
    _store(workspace).add(event)
    out.print(f"{name}: changes asked to version {proposal.newest.number}", markup=False)


def _bundle(workspace: Workspace, recipe: Recipe, name: str) -> Bundle:
    """Return the read-only bundle of a recipe on a corpus of the workspace."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.review.proposals import seal_bundle
    from tamis.analytics.study.study import Study
    from tamis.app.dashboard.open_corpus import corpus_of

    corpus = corpus_of(workspace, workspace.corpus(name))
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        study.measure(recipe, progress=progress)
    return seal_bundle(study, recipe)


def _demand(workspace: Workspace, name: str, needed: Role, *, to: str) -> None:
    """Check that the role of a person is enough; on this machine, people without a role are owners."""
    people.check_person(name)
    people.require(People.of(workspace.root).role(name, otherwise="owner"), needed, to=to)


def _store(workspace: Workspace) -> ReviewStore:
    # Late: SQLAlchemy.
    from tamis.data.reviews import ReviewStore

    return ReviewStore.of(workspace.root)


def _known(workspace: Workspace) -> tuple[Proposal, ...]:
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.review.proposals import proposals_of

    return proposals_of(_store(workspace).events(""))


def _named(workspace: Workspace, name: str) -> Proposal:
    known = {proposal.name: proposal for proposal in _known(workspace)}
    if name not in known:
        raise SettingError("There is no such proposal", value=name, allowed=known)
    return known[name]
