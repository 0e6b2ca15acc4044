"""The rules of recipes as an agent reads them: what each does, and the schema of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.schema import params_schema

MOST_SCHEMAS = 12
"""Rules of an answer with schemas; an agent that wants one asks for it by name."""


@dataclass(frozen=True)
class OperatorAnswer:
    """A rule.

    Attributes:
        name: as recipes call it.
        group: kind of rule.
        summary: what it does.
        warning: what to watch for, empty for most.
        parameters: JSON schema of its parameters; None in a list of more than ``MOST_SCHEMAS`` rules.
    """

    name: str
    group: str
    summary: str
    warning: str
    parameters: Mapping[str, Any] | None


def list_operators(containing: str = "") -> list[OperatorAnswer]:
    """Return the rules by name, those whose name, summary or term in the field hold ``containing``."""
    wanted = containing.strip().lower()
    found = [kind for kind in OPERATORS if wanted in f"{kind.name} {kind.summary} {kind.term}".lower()]
    few = len(found) <= MOST_SCHEMAS
    return [
        OperatorAnswer(kind.name, kind.group, kind.summary, kind.warning or "", params_schema(kind) if few else None)
        for kind in found
    ]
