"""One step of a recipe: a rule under a name, with remarks and the provenance of its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tamis.analytics.operator import OPERATORS, Operator
from tamis.data.errors import RecipeError

STEP_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ID_RULE = "1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit"

Kind = Literal["manual", "percentile", "rule set", "selection"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Provenance:
    """Where one number of a step came from; for people, not part of the digest.

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
        return cls(kind=kind, percentile=percentile, source=checked_text(source, "source", 500))


@dataclass(frozen=True)
class Step:
    """One rule of a recipe.

    Attributes:
        id: name of the step within its recipe; appears in ledgers and reports.
        operator: the rule with its parameters.
        enabled: a step that is switched off stays in the text and does nothing.
        note: a remark for people.
        provenance: where numbers came from, sorted (parameter, Provenance) pairs.
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
        step_id = checked_text(value.get("id", ""), "id", 63)
        try:
            operator = OPERATORS.build(name, params)
        except RecipeError as error:
            raise RecipeError(f"Step {step_id}: {error.what}", value=error.value, allowed=error.allowed) from None
        return cls(
            id=step_id,
            operator=operator,
            enabled=enabled,
            note=checked_text(value.get("note", ""), "note", 10_000),
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
    """Refuse keys that the closed schema does not have."""
    unknown = [key for key in value if key not in allowed]
    if unknown:
        raise RecipeError(f"Unknown key in {what}", value=unknown[0], allowed=allowed)


def checked_text(value: object, name: str, limit: int) -> str:
    """Return ``value`` when it is text of at most ``limit`` characters; raise ``RecipeError`` otherwise."""
    if not isinstance(value, str):
        raise RecipeError(f"{name} must be text", value=value, fix="put it in quotes")
    if len(value) > limit:
        raise RecipeError(f"{name} is too long", value=f"{len(value)} characters", allowed=f"up to {limit}")
    return value
