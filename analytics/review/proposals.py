"""Recipes as proposals: versions under a name, comments and opinions on each, and the approved one.

Everything is computed from the events of the review store, which only grows. So the history is complete, and two
people who propose or judge at the same moment both count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from tamis.analytics.export.bundle import RECIPE_FILE, Bundle, export_bundle
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.hashing import digest, file_sha256
from tamis.data.listing import LOCK_FILE
from tamis.data.names import check_name
from tamis.data.reviews import APPROVALS, LONGEST_VALUE, Event, event_key

Verdict = Literal["approved", "changes asked"]
State = Literal["proposed", "approved", "changes asked"]
LONGEST_MESSAGE = 2_000


@dataclass(frozen=True)
class Opinion:
    """One person's decision on a version.

    Attributes:
        who, at: person and time (UTC, ISO 8601).
        verdict: the decision.
        message: why.
        bundle, seal: folder name and seal of the bundle that an approval wrote, empty without one.
    """

    who: str
    at: str
    verdict: Verdict
    message: str = ""
    bundle: str = ""
    seal: str = ""


@dataclass(frozen=True)
class Version:
    """One proposed version of a recipe.

    Attributes:
        number: from 1, in the order of storage.
        key: of its event.
        who, at, message: who proposed it, when, why.
        digest: of the recipe.
        content: the recipe as JSON values.
        opinions: in the order of storage.
    """

    number: int
    key: str
    who: str
    at: str
    message: str
    digest: str
    content: Mapping[str, Any]
    opinions: tuple[Opinion, ...] = ()

    @property
    def state(self) -> State:
        """Return the verdict of the last opinion."""
        return self.opinions[-1].verdict if self.opinions else "proposed"

    @property
    def approval(self) -> Opinion | None:
        """Return the opinion that approves the version, None if it is not approved."""
        return self.opinions[-1] if self.state == "approved" else None

    def recipe(self) -> Recipe:
        """Return the recipe.

        Raises:
            RecipeError: it is not valid, or not the one that was proposed.
        """
        found = Recipe.from_dict(self.content)
        if found.digest != self.digest:
            raise RecipeError("The stored recipe is not the one that was proposed", value=found.digest[:16])
        return found


@dataclass(frozen=True)
class Remark:
    """A comment on a proposal or on one of its steps.

    Attributes:
        who, at, text: person, time, text.
        step: id of the step, empty for the recipe as a whole.
        version: number of the newest version when it was written, 0 when unknown.
    """

    who: str
    at: str
    text: str
    step: str = ""
    version: int = 0


@dataclass(frozen=True)
class Proposal:
    """A recipe that a team works on.

    Attributes:
        name: of the proposal.
        versions: in order, at least one.
        remarks: in order.
    """

    name: str
    versions: tuple[Version, ...]
    remarks: tuple[Remark, ...] = field(default=())

    @property
    def newest(self) -> Version:
        """Return the newest version."""
        return self.versions[-1]


def proposals_of(events: Iterable[Event]) -> tuple[Proposal, ...]:
    """Return the proposals in the events, by name. Opinions on unknown versions are left out."""
    found: dict[str, Proposal] = {}
    for event in events:
        if event.kind == "proposal" and event.subject_kind == "recipe":
            known, content = found.get(event.subject), event.context.get("recipe")
            version = Version(
                len(known.versions) + 1 if known else 1, event.key, event.reviewer, event.at,
                str(event.context.get("message", "")), event.value,
                content if isinstance(content, Mapping) else {},
            )  # fmt: skip
            found[event.subject] = (
                replace(known, versions=(*known.versions, version)) if known else Proposal(event.subject, (version,))
            )
        elif event.kind == "approval" and event.subject in found:
            found[event.subject] = _add_opinion(found[event.subject], event)
        elif event.kind == "comment" and event.subject_kind in ("recipe", "step"):
            name, _, step = event.subject.partition("/")
            if name in found:
                number = event.context.get("version", 0)
                remark = Remark(event.reviewer, event.at, event.value, step, number if isinstance(number, int) else 0)
                found[name] = replace(found[name], remarks=(*found[name].remarks, remark))
    return tuple(found[name] for name in sorted(found))


def _add_opinion(proposal: Proposal, event: Event) -> Proposal:
    said = {name: str(event.context.get(name, "")) for name in ("message", "bundle", "seal")}
    opinion = Opinion(event.reviewer, event.at, cast("Verdict", event.value), **said)
    versions = [
        replace(one, opinions=(*one.opinions, opinion)) if one.key == event.context.get("version") else one
        for one in proposal.versions
    ]
    return replace(proposal, versions=tuple(versions))


def make_proposal(name: str, recipe: Recipe, *, who: str, message: str = "", known: Proposal | None = None) -> Event:
    """Return the event that proposes a recipe under a name.

    Args:
        name: of the proposal.
        recipe: the new version.
        who: proposes it.
        message: why.
        known: the current proposal of this name, None for a new one.

    Raises:
        SettingError: the name is not allowed.
        RecipeError: there are no active steps, or the newest version is the same.
    """
    check_name(name, what="Name of a proposal")
    if not recipe.active:
        raise RecipeError("A recipe without active rules keeps everything, so there is nothing to approve")
    if known is not None and known.newest.digest == recipe.digest:
        raise RecipeError(
            "This is already the newest version", value=f"{name}, version {known.newest.number}", fix="change a rule"
        )
    before = known.newest.key if known else ""
    context = {"recipe": recipe.to_dict(), "message": _short(message)}
    key = event_key("proposal", name, recipe.digest, before, who)
    return Event(key, who, "", "recipe", name, "proposal", recipe.digest, context)


def make_verdict(
    proposal: Proposal,
    version: Version,
    verdict: str,
    *,
    who: str,
    message: str = "",
    bundle: Bundle | None = None,
) -> Event:
    """Return the event that approves a version or asks for changes.

    Args:
        proposal, version: what to judge; only the newest version is allowed.
        verdict: ``approved`` or ``changes asked``.
        who: decides.
        message: why; required to ask for changes.
        bundle: of the approved version.

    Raises:
        RecipeError: an unknown verdict, an older version, no reason for changes, or the bundle of another recipe.
    """
    if verdict not in APPROVALS:
        raise RecipeError("Unknown verdict", value=verdict, allowed=APPROVALS)
    if version.key != proposal.newest.key:
        raise RecipeError("Only the newest version can be judged", value=version.number, fix="look at it again")
    if verdict == "changes asked" and not message.strip():
        raise RecipeError("Say which changes", fix="write a few words")
    if bundle is not None and bundle.recipe.digest != version.digest:
        raise RecipeError("This bundle holds another recipe", value=bundle.recipe.digest[:16])
    context = {"version": version.key, "message": _short(message), "bundle": "", "seal": ""}
    if bundle is not None:
        context |= {"bundle": bundle.folder.name, "seal": seal(bundle)}
    mine = sum(opinion.who == who for opinion in version.opinions)
    key = event_key("approval", version.key, who, verdict, mine)
    return Event(key, who, "", "recipe", proposal.name, "approval", verdict, context)


def make_remark(proposal: Proposal, text: str, *, who: str, step: str = "") -> Event:
    """Return the event that comments on a proposal or on one of its steps.

    Raises:
        RecipeError: the text is empty, or there is no such step.
        SettingError: the text is too long.
    """
    if not text.strip():
        raise RecipeError("Say something", fix="write a few words")
    if step and step not in (steps := [one.id for one in proposal.newest.recipe()]):
        raise RecipeError("The newest version has no such step", value=step, allowed=steps)
    subject = f"{proposal.name}/{step}" if step else proposal.name
    mine = sum((remark.who, remark.step) == (who, step) for remark in proposal.remarks)
    key = event_key("comment", subject, who, mine, text.strip())
    context = {"version": proposal.newest.number}
    return Event(key, who, "", "step" if step else "recipe", subject, "comment", text.strip()[:LONGEST_VALUE], context)


def seal(bundle: Bundle) -> str:
    """Return the digest of a bundle's recipe and lock; the lock holds the checksums of all its other files."""
    return digest([file_sha256(bundle.folder / name) for name in (RECIPE_FILE, LOCK_FILE)])


def bundle_name(recipe: Recipe, fingerprint: str) -> str:
    """Return the folder name of the bundle of a recipe on a corpus: both digests name it, so it never changes."""
    return f"{recipe.digest[:16]}-{fingerprint[:12]}"


def seal_bundle(study: Study, recipe: Recipe) -> Bundle:
    """Return the bundle of a recipe on a corpus, with all its files read-only; export it if it is missing.

    Raises:
        TamisError: as ``export_bundle``; or the folder holds another or a damaged bundle.
    """
    folder = study.workspace.bundles / bundle_name(recipe, study.corpus.fingerprint)
    bundle = Bundle.open(folder) if folder.is_dir() else export_bundle(folder, study=study, recipe=recipe)
    protect(bundle)
    return bundle


def protect(bundle: Bundle) -> None:
    """Make the files of a bundle read-only."""
    for path in bundle.folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)


def _short(message: str) -> str:
    if len(message) > LONGEST_MESSAGE:
        raise RecipeError("The message is too long", value=len(message), allowed=f"up to {LONGEST_MESSAGE} characters")
    return message.strip()
