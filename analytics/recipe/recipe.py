"""Recipes: immutable lists of rules, with a text for people and one digest for machines.

The digest covers what decides: the ids, operators and parameters (defaults written out) of the enabled steps. It does
not cover titles, notes, provenance, comments, key order or disabled steps.

One step of a recipe: a rule under a name, with remarks and the provenance of its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from tamis.analytics.operators.operator import OPERATORS, Operator, measures_of
from tamis.analytics.recipe.listing import Listing
from tamis.analytics.recipe.step_order import check_order, is_ordered, last_place
from tamis.analytics.recipe.yaml_text import MAX_BYTES, parse_yaml, write_yaml
from tamis.analytics.steps.measures import Measure
from tamis.data.errors import RecipeError
from tamis.data.hashing import canonical_json, digest

__all__ = ["Provenance", "Recipe", "Step", "canonical_text", "operator_digest", "params_of"]

STEP_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ID_RULE = "1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit"

Kind = Literal["manual", "percentile", "rule set", "selection"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Provenance:
    """The origin of one number of a step; for people, not part of the digest.

    Attributes:
        kind: chosen by hand, a percentile of a corpus, a published rule set, or a selection on a page.
        percentile: the percentile in [0, 100], for kind ``percentile``.
        source: the rule set's name and version, or the fingerprint of the corpus it was measured on.
    """

    kind: Kind
    percentile: float | None = None
    source: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the plain form that YAML holds."""
        pairs = {"kind": self.kind, "percentile": self.percentile, "source": self.source}
        return {key: value for key, value in pairs.items() if value not in (None, "")}

    @classmethod
    def from_dict(cls, value: object) -> Provenance:
        """Read the plain form.

        Raises:
            RecipeError: unknown keys, an unknown kind or a percentile outside [0, 100].
        """
        if not isinstance(value, Mapping):
            raise RecipeError("Provenance must be a mapping", value=value, allowed="kind, percentile, source")
        refuse_unknown(value, ("kind", "percentile", "source"), "provenance")
        percentile, source = value.get("percentile"), value.get("source", "")
        kind = next((known for known in KINDS if known == value.get("kind")), None)
        if kind is None:
            raise RecipeError("Unknown kind of provenance", value=value.get("kind"), allowed=KINDS)
        if percentile is not None and (
            isinstance(percentile, bool) or not isinstance(percentile, (int, float)) or not 0 <= percentile <= 100
        ):
            raise RecipeError("A percentile must be a number", value=percentile, allowed="0 to 100")
        return cls(kind=kind, percentile=percentile, source=check_text(source, "source", 500))


@dataclass(frozen=True)
class Step:
    """One rule of a recipe.

    Attributes:
        id: name of the step within its recipe; appears in ledgers and reports.
        operator: the rule with its parameters.
        enabled: a disabled step stays in the text and does nothing.
        note: a remark for people.
        provenance: the origin of numbers, sorted (parameter, Provenance) pairs.
    """

    id: str
    operator: Operator
    enabled: bool = True
    note: str = ""
    provenance: tuple[tuple[str, Provenance], ...] = ()

    def __post_init__(self) -> None:
        if not STEP_ID.fullmatch(self.id):
            raise RecipeError("Step id is not allowed", value=self.id, allowed=ID_RULE)
        unknown = [name for name, _ in self.provenance if name not in type(self.operator).model_fields]
        if unknown:
            raise RecipeError(
                "Provenance names an unknown parameter", value=unknown[0], allowed=type(self.operator).model_fields
            )

    @property
    def params(self) -> dict[str, Any]:
        """Return the operator's parameters as plain values, defaults written out."""
        return params_of(self.operator)

    def canonical(self) -> dict[str, Any]:
        """Return what the digest covers."""
        return {"id": self.id, "operator": self.operator.name, "params": self.params}

    def to_dict(self) -> dict[str, Any]:
        """Return the plain form that YAML holds, keys in reading order."""
        value: dict[str, Any] = {"id": self.id, "operator": self.operator.name}
        if not self.enabled:
            value["enabled"] = False
        if self.note:
            value["note"] = self.note
        value["params"] = self.params
        if self.provenance:
            value["provenance"] = {name: origin.to_dict() for name, origin in self.provenance}
        return value

    @classmethod
    def from_dict(cls, value: object) -> Step:
        """Read the plain form of a step.

        Raises:
            RecipeError: unknown keys, operator or parameters, or values of the wrong type.
        """
        if not isinstance(value, Mapping):
            raise RecipeError("A step must be a mapping", value=value, allowed="id, operator, params")
        refuse_unknown(value, ("id", "operator", "enabled", "note", "params", "provenance"), "step")
        name, params, origins = value.get("operator"), value.get("params") or {}, value.get("provenance") or {}
        if not isinstance(name, str):
            raise RecipeError("A step must name its operator", value=name, allowed=(kind.name for kind in OPERATORS))
        if not isinstance(params, Mapping) or not isinstance(origins, Mapping):
            raise RecipeError("params and provenance must be mappings", value=value.get("id"))
        enabled = value.get("enabled", True)
        if not isinstance(enabled, bool):
            raise RecipeError("enabled must be true or false", value=enabled)
        step_id = check_text(value.get("id", ""), "id", 63)
        try:
            operator = OPERATORS.build(name, params)
        except RecipeError as error:
            raise RecipeError(f"Step {step_id}: {error.what}", value=error.value, allowed=error.allowed) from None
        return cls(
            id=step_id,
            operator=operator,
            enabled=enabled,
            note=check_text(value.get("note", ""), "note", 10_000),
            provenance=tuple(sorted((str(key), Provenance.from_dict(item)) for key, item in origins.items())),
        )


def params_of(operator: Operator) -> dict[str, Any]:
    """Return an operator's parameters as plain values, its own before inherited ones, defaults written out.

    Options that are absent (None by default) are left out.
    """
    values = operator.model_dump(mode="json")
    fields = type(operator).model_fields
    own = [name for name in type(operator).__annotations__ if name in fields]
    ordered = [*own, *(name for name in fields if name not in own)]
    return {name: values[name] for name in ordered if values[name] is not None or fields[name].default is not None}


def refuse_unknown(value: Mapping[str, Any], allowed: tuple[str, ...], what: str) -> None:
    """Refuse keys that are not in ``allowed``."""
    unknown = [key for key in value if key not in allowed]
    if unknown:
        raise RecipeError(f"Unknown key in {what}", value=unknown[0], allowed=allowed)


def check_text(value: object, name: str, limit: int) -> str:
    """Return ``value`` when it is text of at most ``limit`` characters; raise ``RecipeError`` otherwise."""
    if not isinstance(value, str):
        raise RecipeError(f"{name} must be text", value=value, fix="put it in quotes")
    if len(value) > limit:
        raise RecipeError(f"{name} is too long", value=f"{len(value)} characters", allowed=f"up to {limit}")
    return value


SCHEMA_VERSION = 1
MAX_STEPS = 200


@dataclass(frozen=True)
class Recipe:
    """An immutable list of steps with a title, a reason and an author; every edit returns a copy.

    Example:
        >>> recipe = ta.Recipe(title="Clean").with_operator("signal_range", signal="n_tokens", min=5)
        >>> recipe = recipe.with_operator("exact_dedup", note="copies add nothing")
        >>> [step.operator.sentence() for step in recipe][0]
        'Keep documents with n_tokens >= 5'
        >>> recipe == ta.Recipe.from_yaml(recipe.to_yaml())
        True
    """

    steps: tuple[Step, ...] = ()
    title: str = "Untitled recipe"
    why: str = ""
    author: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise RecipeError(
                "Recipe has an unknown schema version", value=self.schema_version, allowed=str(SCHEMA_VERSION)
            )
        if len(self.steps) > MAX_STEPS:
            raise RecipeError("Recipe has too many steps", value=len(self.steps), allowed=f"up to {MAX_STEPS}")
        ids = [step.id for step in self.steps]
        twice = sorted({step_id for step_id in ids if ids.count(step_id) > 1})
        if twice:
            raise RecipeError("Two steps have the same id", value=twice[0], fix="rename one of them")
        check_order(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def active(self) -> tuple[Step, ...]:
        """Return the enabled steps, in order."""
        return tuple(step for step in self.steps if step.enabled)

    @cached_property
    def digest(self) -> str:
        """Return the sha256 (64 hex digits) of what decides."""
        return digest(self.canonical())

    def canonical(self) -> dict[str, Any]:
        """Return what the digest covers, as plain values."""
        return {"schema_version": self.schema_version, "steps": [step.canonical() for step in self.active]}

    def measures(self) -> tuple[Measure, ...]:
        """Return the measures that the recipe needs, each once, in order of first use."""
        found = (measure for step in self.active for measure in measures_of(step.operator))
        return tuple(dict.fromkeys(found))

    def assets(self) -> tuple[str, ...]:
        """Return the digests of the stored files that the active steps need, each once."""
        return tuple(dict.fromkeys(asset for step in self.active for asset in step.operator.assets()))

    def columns(self) -> frozenset[str]:
        """Return the facts columns that the active steps read, measured ones included."""
        return frozenset().union(*(step.operator.columns() for step in self.active))

    def step(self, step_id: str) -> Step:
        """Return the step with this id.

        Raises:
            RecipeError: unknown id; the message lists the known ones.
        """
        return self.steps[self.index(step_id)]

    def index(self, step_id: str) -> int:
        """Return the place of a step, from 0."""
        for place, step in enumerate(self.steps):
            if step.id == step_id:
                return place
        raise RecipeError("Recipe has no such step", value=step_id, allowed=(step.id for step in self.steps))

    def fresh_id(self, base: str) -> str:
        """Return an unused step id, derived from a name such as the operator's."""
        stem = re.sub(r"[^a-z0-9]+", "-", base.lower()).strip("-")[:56] or "step"
        taken = {step.id for step in self.steps}
        candidates = (stem if number == 1 else f"{stem}-{number}" for number in range(1, MAX_STEPS + 2))
        return next(candidate for candidate in candidates if candidate not in taken)

    def with_step(self, step: Step, *, at: int | None = None) -> Recipe:
        """Return a copy with one more step, at a place from 0 or at the end; steps of training stay last, in order."""
        place = last_place(self.steps, step) if at is None else max(0, min(at, len(self.steps)))
        return replace(self, steps=(*self.steps[:place], step, *self.steps[place:]))

    def with_operator(
        self, operator: Operator | str, /, *, note: str = "", at: int | None = None, **params: Any
    ) -> Recipe:
        """Return a copy with a new step under a fresh id.

        Args:
            operator: a rule, or the name of one, such as ``signal_range``.
            note: a remark for people.
            at: the place from 0; None for the end.
            params: the parameters, when ``operator`` is a name; the others are as new recipes have them.

        Raises:
            RecipeError: unknown operator or parameter, wrong type, out of bounds; the message names each one.

        Example:
            >>> ta.Recipe().with_operator("exact_dedup").with_operator("exact_dedup", keep="longest").steps[-1].id
            'exact-dedup-2'
        """
        if isinstance(operator, str):
            operator = OPERATORS.fresh(operator, params)
        elif params:
            raise RecipeError("Parameters go with the name of an operator", value=sorted(params))
        return self.with_step(Step(id=self.fresh_id(operator.name), operator=operator, note=note), at=at)

    def without(self, step_id: str) -> Recipe:
        """Return a copy without a step."""
        place = self.index(step_id)
        return replace(self, steps=(*self.steps[:place], *self.steps[place + 1 :]))

    def moved(self, step_id: str, *, to: int) -> Recipe:
        """Return a copy with a step at another place, from 0."""
        return self.without(step_id).with_step(self.step(step_id), at=to)

    def beside(self, before: Recipe) -> tuple[Step, ...]:
        """Return the steps, in order, whose ids another recipe does not have."""
        known = {step.id for step in before.steps}
        return tuple(step for step in self.steps if step.id not in known)

    def can_move(self, step_id: str, *, to: int) -> bool:
        """Return whether a step may stand at another place, from 0: steps of training stay last, in their order."""
        steps = list(self.without(step_id).steps)
        steps.insert(to, self.step(step_id))
        return 0 <= to < len(self) and is_ordered(steps)

    def replaced(self, step_id: str, **changes: Any) -> Recipe:
        """Return a copy with changed fields of one step (operator, enabled, note, provenance, id)."""
        place = self.index(step_id)
        changed = replace(self.steps[place], **changes)
        return replace(self, steps=(*self.steps[:place], changed, *self.steps[place + 1 :]))

    def renamed(self, step_id: str, name: str) -> Recipe:
        """Return a copy with a step under the id nearest to a name: ``Short texts`` gives ``short-texts``.

        An id that another step has gets a number; an empty name changes nothing.

        Raises:
            RecipeError: unknown step.
        """
        return self.replaced(step_id, id=self.without(step_id).fresh_id(name)) if name.strip() else self

    def described(self, *, title: str | None = None, why: str | None = None, author: str | None = None) -> Recipe:
        """Return a copy with other texts for people."""
        return replace(
            self,
            title=self.title if title is None else title,
            why=self.why if why is None else why,
            author=self.author if author is None else author,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the plain form that YAML holds, keys in reading order."""
        value: dict[str, Any] = {"schema_version": self.schema_version, "title": self.title}
        if self.why:
            value["why"] = self.why
        if self.author:
            value["author"] = self.author
        value["steps"] = [step.to_dict() for step in self.steps]
        return value

    def to_yaml(self) -> str:
        """Return the recipe as YAML for people; the same recipe gives the same text."""
        return write_yaml(self.to_dict())

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Recipe:
        """Read the plain form.

        Raises:
            RecipeError: anything that the closed schema does not allow; the message names it.
        """
        refuse_unknown(value, ("schema_version", "title", "why", "author", "steps"), "recipe")
        steps = value.get("steps")
        if steps is None:
            steps = []
        if not isinstance(steps, (list, tuple)):
            raise RecipeError("steps must be a list", value=steps)
        version = value.get("schema_version")
        if isinstance(version, bool) or not isinstance(version, int):
            raise RecipeError("Recipe must state its schema_version", value=version, allowed=str(SCHEMA_VERSION))
        return cls(
            steps=tuple(Step.from_dict(step) for step in steps),
            title=check_text(value.get("title", "Untitled recipe"), "title", 500),
            why=check_text(value.get("why", ""), "why", 10_000),
            author=check_text(value.get("author", ""), "author", 500),
            schema_version=version,
        )

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """Read YAML 1.2 text.

        Raises:
            RecipeError: not plain YAML, or anything that the closed schema does not allow.
        """
        return cls.from_dict(parse_yaml(text))

    @classmethod
    def from_file(cls, path: str | Path) -> Recipe:
        """Read a file of YAML 1.2 text, such as the recipe.yaml of a bundle.

        Raises:
            RecipeError: the file is missing, too large or not UTF-8; or as ``from_yaml``.

        Example:
            >>> ta.Recipe.from_file("recipe.yaml").title
            'Notes that say something, once'
        """
        file = Path(path).expanduser()
        if not file.is_file():
            raise RecipeError("There is no recipe here", value=str(path), fix="name the file recipe.yaml")
        if file.stat().st_size > MAX_BYTES:
            raise RecipeError("Recipe is too large", value=file.stat().st_size, allowed=f"up to {MAX_BYTES} bytes")
        try:
            return cls.from_yaml(file.read_bytes().decode("utf-8"))
        except UnicodeDecodeError:
            raise RecipeError("Recipe is not UTF-8 text", value=file.name) from None

    def __repr__(self) -> str:
        return repr(self._listing())

    def _repr_html_(self) -> str:
        """Return the steps as HTML for a notebook, everything escaped."""
        return self._listing()._repr_html_()

    def _listing(self) -> Listing:
        rows = tuple(
            (number, step.id, step.operator.sentence(), step.enabled, step.note)
            for number, step in enumerate(self.steps, start=1)
        )
        title = f"{self.title} ({self.digest[:12]}){': ' if self.why else ''}{self.why}"
        return Listing(title, ("", "step", "rule", "on", "note"), rows)


def operator_digest(operators: Iterable[Operator]) -> str:
    """Return the digest of a sequence of operators, for cache keys of their decisions."""
    return digest([{"operator": operator.name, "params": params_of(operator)} for operator in operators])


def canonical_text(recipe: Recipe) -> str:
    """Return the canonical JSON whose sha256 is the digest."""
    return canonical_json(recipe.canonical()).decode("utf-8")
