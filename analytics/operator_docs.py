"""The documentation of all operators, made from the registry: it cannot say anything else than the code."""

from __future__ import annotations

import inspect
from typing import Any, get_args

from tamis.analytics import catalogue
from tamis.analytics.operator import OPERATORS, Group, Operator, RowOperator, SetOperator, TextOperator
from tamis.analytics.recipe_schema import params_schema

INTRODUCTION = """# Operators

Every rule of a recipe is one of these. This page is made from the registry of the code.

A **row rule** decides each document from its own columns. A **set rule** decides documents together, by a total order
that ends in the document id. A **text step** changes text when the curated files are written and drops nothing.
*Idempotent* means that a second pass with the same rule changes nothing.
"""


def operator_docs() -> str:
    """Return the page ``docs/operators.md``."""
    catalogue.load()
    parts = [INTRODUCTION]
    for group in get_args(Group):
        kinds = [kind for kind in OPERATORS if kind.group == group]
        if kinds:
            parts.append(f"## {group}\n")
            parts += [_entry(kind) for kind in kinds]
    return "\n".join(parts).rstrip() + "\n"


def operator_table() -> str:
    """Return a Markdown table of all operators, one line each, for the README."""
    catalogue.load()
    rows = ["| operator | what it does | term in the field |", "|---|---|---|"]
    for group in get_args(Group):
        rows += [
            f"| `{kind.name}` | {_cell(kind.summary)} | {kind.term} |" for kind in OPERATORS if kind.group == group
        ]
    return "\n".join(rows) + "\n"


def _entry(kind: type[Operator]) -> str:
    text = inspect.cleandoc(kind.__doc__ or kind.summary)
    lines = [f"### {kind.name}", "", text, ""]
    idempotent = "idempotent" if kind.idempotent else "not idempotent"
    lines += [f"{_sort(kind)}; {kind.term}; scope `{kind.scope}`; {idempotent}.", ""]
    if kind.warning:
        lines += [f"**Note.** {kind.warning}", ""]
    lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
    schema = params_schema(kind)
    required = set(schema.get("required", ()))
    own = [name for name in kind.__annotations__ if name in schema["properties"]]
    for name in [*own, *(name for name in schema["properties"] if name not in own)]:
        field = schema["properties"][name]
        default = "required" if name in required else _shown(field.get("default"))
        lines.append(f"| `{name}` | {_cell(_type(field))} | {default} | {_cell(field.get('description', ''))} |")
    return "\n".join([*lines, "", f"Source: {kind.source}", ""])


def _sort(kind: type[Operator]) -> str:
    if issubclass(kind, RowOperator):
        return "Row rule"
    if issubclass(kind, SetOperator):
        return "Set rule"
    return "Text step" if issubclass(kind, TextOperator) else "Step"


def _type(field: dict[str, Any]) -> str:
    """Return a field's type and bounds in words."""
    if "anyOf" in field:
        options = [_type(option) for option in field["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(options))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type", "object" if "$ref" in field else "value")
    if kind == "array":
        return f"list of {_type(field['items'])}" if "items" in field else "list"
    if field.get("pattern") == "^[0-9a-f]{64}$":
        return "digest"
    words = {"string": "text", "boolean": "true or false", "integer": "whole number", "object": "mapping"}
    return words.get(kind, kind) + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    names = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    found = [f"{sign} {field[name]:g}" for name, sign in names if name in field and abs(field[name]) < 2**62]
    return f" {', '.join(found)}" if found else ""


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "empty" if value in ("", []) else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
