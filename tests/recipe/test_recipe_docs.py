"""Documentation and schema say what the registry says."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
from docstrings import docstrings, write_corpus
from operator_examples import operators

from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.recipe.ledger import LEDGER_SCHEMA
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.recipe.reference_docs import operator_docs, operator_table
from tamis.analytics.recipe.schema import params_schema, recipe_schema
from tamis.data.workspace import Workspace

DOCS = Path(__file__).parents[2] / "docs"
VALIDATOR = jsonschema.Draft202012Validator(recipe_schema())


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


def test_the_examples_of_the_recipes_page_run(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (DOCS / "recipes.md").read_text()
    text = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    assert [step.id for step in Recipe.from_yaml(text)] == ["long-enough", "english", "once"]
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    path = write_corpus(tmp_path / "corpus", docstrings(("json",)))
    code = code.replace("ta.open(path)", 'ta.open(path, steps=["signals", "tokens", "exact"])')
    exec(compile(code, "recipes.md", "exec"), {"path": path, "out": tmp_path})
    assert capsys.readouterr().out.startswith("From a notebook: ")
    assert (tmp_path / "bundle" / "recipe.lock.json").is_file() and (tmp_path / "run" / "run.json").is_file()


def test_the_recipes_page_lists_the_columns_that_are_written() -> None:
    page = (DOCS / "recipes.md").read_text()
    assert all(f"`{name}`" in page for name in LEDGER_SCHEMA.names)
