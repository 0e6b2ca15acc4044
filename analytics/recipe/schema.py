"""The JSON schema of a recipe, made from the operator registry: for editors, forms and other tools."""

from __future__ import annotations

from typing import Any

from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.recipe.recipe import KINDS, MAX_STEPS, SCHEMA_VERSION, STEP_ID


def recipe_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of the plain form of a recipe."""
    kinds = list(OPERATORS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tamis recipe",
        "type": "object",
        "additionalProperties": False,
        "required": ["schema_version"],
        "properties": {
            "schema_version": {"const": SCHEMA_VERSION},
            "title": {"type": "string", "maxLength": 500},
            "why": {"type": "string", "maxLength": 10_000},
            "author": {"type": "string", "maxLength": 500},
            "steps": {
                "type": "array",
                "maxItems": MAX_STEPS,
                "items": {"oneOf": [{"$ref": f"#/$defs/step-{kind.name}"} for kind in kinds]},
            },
        },
        "$defs": {
            "provenance": _provenance(),
            **{f"params-{kind.name}": params_schema(kind, at=f"#/$defs/params-{kind.name}") for kind in kinds},
            **{f"step-{kind.name}": _step(kind) for kind in kinds},
        },
    }


def params_schema(kind: type[Operator], *, at: str = "#") -> dict[str, Any]:
    """Return the schema of an operator's parameters: types, bounds, defaults and help of its fields.

    Args:
        kind: the operator.
        at: its place inside another schema, so that its own references resolve there.
    """
    schema = kind.model_json_schema(ref_template=at + "/$defs/{model}")
    return {**schema, "title": kind.name, "description": kind.summary}


def _step(kind: type[Operator]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "operator"],
        "properties": {
            "id": {"type": "string", "pattern": f"^{STEP_ID.pattern}$"},
            "operator": {"const": kind.name},
            "enabled": {"type": "boolean"},
            "note": {"type": "string", "maxLength": 10_000},
            "params": {"$ref": f"#/$defs/params-{kind.name}"},
            "provenance": {"type": "object", "additionalProperties": {"$ref": "#/$defs/provenance"}},
        },
    }


def _provenance() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind"],
        "properties": {
            "kind": {"enum": list(KINDS)},
            "percentile": {"type": "number", "minimum": 0, "maximum": 100},
            "source": {"type": "string", "maxLength": 500},
        },
    }
