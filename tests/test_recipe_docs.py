"""Documentation and schema say what the registry says."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from operator_examples import operators

from tamis.analytics.operator import OPERATORS, Operator
from tamis.analytics.operator_docs import operator_docs, operator_table
from tamis.analytics.recipe import Recipe
from tamis.analytics.recipe_schema import params_schema, recipe_schema

DOCS = Path(__file__).parent.parent / "docs"
VALIDATOR = jsonschema.Draft202012Validator(recipe_schema())


def test_operators_page_is_current() -> None:
    fix = 'write it anew: python -c "from tamis.analytics.operator_docs import *; print(operator_docs(), end=str())"'
    assert (DOCS / "operators.md").read_text().split("\n") == operator_docs().split("\n"), fix


def test_every_operator_and_parameter_is_documented() -> None:
    page = operator_docs()
    for kind in OPERATORS:
        assert f"### {kind.name}\n" in page
        assert kind.source in page
        entry = page.split(f"### {kind.name}\n")[1].split("\n### ")[0]
        assert all(f"| `{name}` |" in entry for name in kind.model_fields)
        assert f"`{kind.name}`" in operator_table()


@pytest.mark.parametrize("operator", operators(), ids=lambda operator: operator.name)
def test_schema_accepts_what_recipes_write(operator: Operator) -> None:
    value = Recipe(title="A").with_operator(operator, note="b").to_dict()
    assert VALIDATOR.is_valid(value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "no version"},
        {"schema_version": 1, "more": 1},
        {"schema_version": 1, "steps": [{"id": "a", "operator": "nothing"}]},
        {"schema_version": 1, "steps": [{"id": "A", "operator": "exact_dedup"}]},
        {"schema_version": 1, "steps": [{"id": "a", "operator": "exact_dedup", "params": {"max_copies": 0}}]},
        {"schema_version": 1, "steps": [{"id": "a", "operator": "language", "params": {"languages": []}}]},
    ],
)
def test_schema_refuses_what_recipes_refuse(wrong: dict[str, object]) -> None:
    assert not VALIDATOR.is_valid(wrong)


def test_every_parameter_has_help_for_its_form() -> None:
    for kind in OPERATORS:
        for name, field in params_schema(kind)["properties"].items():
            assert field.get("description"), f"{kind.name}.{name}"
