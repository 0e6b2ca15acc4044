"""Commands that turn a recipe into something else: rules for other tools, fixed numbers, a schema for editors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import duckdb
import jsonschema
import pyarrow.parquet as pq
import pytest
from data_juicer_conditions import passes_condition
from shared_corpus import SharedCorpus
from typer.testing import CliRunner, Result

from tamis.analytics.export.rule_export import TOOLS, Tool
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.recipe.schema import recipe_schema
from tamis.analytics.recipe.yaml_text import parse_yaml
from tamis.app.cli import main
from tamis.app.cli import recipe as recipe_commands
from tamis.app.cli.docs import commands
from tamis.data.errors import RecipeError, StoreError

RULES = (
    Recipe(title="Rules that decide each document by itself")
    .with_operator("signal_range", signal="n_tokens", min=12)
    .with_operator("signal_range", signal="alpha_word_share", min=0.6)
    .with_operator("category", column="source", values=["json"], mode="drop")
    .with_operator("sql_predicate", predicate="n_words < 200 OR source = 'logging'")
)
MORE = RULES.with_operator("regex", pattern="[Rr]eturn", mode="drop").with_operator("exact_dedup")


@pytest.fixture(scope="module")
def place(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an analysed corpus and its workspace, which the tests of this file share."""
    root = tmp_path_factory.mktemp("rules")
    docstring_corpus.copy_home(root / "home")
    shutil.copytree(docstring_corpus.corpus, root / "corpus")
    return root


@pytest.fixture(autouse=True)
def home(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMIS_HOME", str(place / "home"))


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, list(arguments))


def export(recipe: Recipe, place: Path, folder: Path, tool: Tool) -> str:
    """Export the rules of a recipe into a folder and return what was said."""
    file = folder.with_suffix(".recipe.yaml")
    file.write_text(recipe.to_yaml(), "utf-8")
    done = invoke("export", str(file), str(place / "corpus"), "--as", tool, "-o", str(folder))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def kept_by_tamis(recipe: Recipe, place: Path, folder: Path) -> list[str]:
    """Run a recipe from the command line and return the ids of what it keeps, in order."""
    file = folder.with_suffix(".run.yaml")
    file.write_text(recipe.to_yaml(), "utf-8")
    done = invoke("run", str(file), str(place / "corpus"), "-o", str(folder))
    assert done.exit_code == 0, (done.output, done.exception)
    return [row["id"] for row in pq.read_table(folder / "selection.parquet").to_pylist() if row["copies"]]


def selected_by_sql(folder: Path) -> list[str]:
    """Run an exported statement where it lies and return the ids."""
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{folder}'")
        return [row[0] for row in connection.execute((folder / "rules.sql").read_text("utf-8")).fetchall()]


def test_exported_sql_over_the_exported_table_selects_what_tamis_keeps(place: Path, tmp_path: Path) -> None:
    assert "nothing gets lost" in export(RULES, place, tmp_path / "sql", "sql")
    kept = kept_by_tamis(RULES, place, tmp_path / "out")
    assert selected_by_sql(tmp_path / "sql") == kept
    assert 0 < len(kept) < pq.read_metadata(tmp_path / "sql" / "documents.parquet").num_rows


def test_what_an_export_leaves_out_is_said_and_the_rest_decides_the_same(place: Path, tmp_path: Path) -> None:
    said = export(MORE, place, tmp_path / "sql", "sql")
    assert "left out: exact-dedup" in said and "nothing gets lost" not in said
    alone = kept_by_tamis(MORE.without("exact-dedup"), place, tmp_path / "out")
    assert selected_by_sql(tmp_path / "sql") == alone
    assert len(alone) > len(kept_by_tamis(MORE, place, tmp_path / "whole"))


def test_an_exported_datatrove_pipeline_runs_and_keeps_what_tamis_keeps(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("datatrove")
    recipe = RULES.without("sql-predicate")
    assert "documents/part-0.parquet" in export(recipe, place, tmp_path / "trove", "datatrove")
    done = subprocess.run([sys.executable, "rules.py"], cwd=tmp_path / "trove", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [row["id"] for path in (tmp_path / "trove" / "kept").iterdir() for row in pq.read_table(path).to_pylist()]
    assert sorted(found) == kept_by_tamis(recipe, place, tmp_path / "out")


def test_an_exported_data_juicer_condition_keeps_what_tamis_keeps(place: Path, tmp_path: Path) -> None:
    recipe = RULES.without("sql-predicate")
    export(recipe, place, tmp_path / "juicer", "data-juicer")
    config = parse_yaml((tmp_path / "juicer" / "rules.yaml").read_text("utf-8"))
    condition = config["process"][0]["general_field_filter"]["filter_condition"]
    rows = pq.read_table(tmp_path / "juicer" / config["dataset_path"]).to_pylist()
    assert all(value is not None for row in rows for value in row.values())
    kept = kept_by_tamis(recipe, place, tmp_path / "out")
    assert [row["id"] for row in rows if passes_condition(condition, row)] == kept


def test_an_export_replaces_its_own_files_and_nothing_else(place: Path, tmp_path: Path) -> None:
    export(RULES, place, tmp_path / "sql", "sql")
    export(MORE, place, tmp_path / "sql", "sql")
    assert "regex" in (tmp_path / "sql" / "rules.sql").read_text("utf-8")
    recipe = str(tmp_path / "sql.recipe.yaml")
    before = sorted(path.read_bytes() for path in (place / "corpus").iterdir())
    (tmp_path / "sql" / "mine.txt").write_text("mine")
    for folder in (tmp_path / "sql", place / "corpus", tmp_path / "sql" / "mine.txt"):
        refused = invoke("export", recipe, str(place / "corpus"), "--as", "sql", "-o", str(folder))
        assert isinstance(refused.exception, StoreError), folder
    assert sorted(path.read_bytes() for path in (place / "corpus").iterdir()) == before
    assert (tmp_path / "sql" / "mine.txt").read_text() == "mine"


def test_the_command_knows_the_tools_of_the_registry() -> None:
    [option] = [each for each in commands(main.app)["export"].params if each.name == "tool"]
    literal, none = get_args(get_type_hints(recipe_commands.export)["tool"])
    assert (get_args(literal), none) == (TOOLS, type(None))
    assert all(tool in (getattr(option, "help", None) or "") for tool in TOOLS)


def test_frozen_percentiles_are_fixed_numbers_that_decide_the_same(place: Path, tmp_path: Path) -> None:
    bands = (
        Recipe(title="Bands")
        .with_operator("exact_dedup")
        .with_operator("percentile_band", signal="n_words", low=10, high=90)
        .with_operator("percentile_band", signal="n_tokens", low=20, within="source")
    )
    given, frozen = tmp_path / "recipe.yaml", tmp_path / "frozen.yaml"
    given.write_text(bands.to_yaml(), "utf-8")
    done = invoke("freeze", str(given), str(place / "corpus"), "-o", str(frozen))
    assert done.exit_code == 0, (done.output, done.exception)
    fixed = Recipe.from_file(frozen)
    assert [step.operator.name for step in fixed] == ["exact_dedup", "signal_range", "grouped_range"]
    assert dict(fixed.steps[1].provenance)["min"].percentile == 10
    assert "percentile-band: Keep documents with n_words" in done.output
    kept = kept_by_tamis(bands, place, tmp_path / "bands")
    assert kept_by_tamis(fixed, place, tmp_path / "fixed") == kept != []
    one = invoke("freeze", str(given), str(place / "corpus"), "-o", str(frozen), "--step", "percentile-band-2")
    assert one.exit_code == 0, one.output
    assert [step.operator.name for step in Recipe.from_file(frozen)][1:] == ["percentile_band", "grouped_range"]
    for arguments in (("--step", "exact-dedup"), ("--step", "nothing")):
        refused = invoke("freeze", str(given), str(place / "corpus"), "-o", str(frozen), *arguments)
        assert isinstance(refused.exception, RecipeError)
    given.write_text(RULES.to_yaml(), "utf-8")
    refused = invoke("freeze", str(given), str(place / "corpus"), "-o", str(frozen))
    assert "no percentile band" in str(refused.exception)


def test_the_schema_is_printed_or_written_and_accepts_a_recipe_that_names_it(tmp_path: Path) -> None:
    printed = json.loads(invoke("schema").output)
    assert printed == recipe_schema()
    said = invoke("schema", "-o", str(tmp_path / "recipe.schema.json")).output
    assert json.loads((tmp_path / "recipe.schema.json").read_text("utf-8")) == printed
    hint = "# yaml-language-server: $schema=recipe.schema.json"
    assert hint in said
    recipe = Recipe.from_yaml(f"{hint}\n{MORE.to_yaml()}")
    assert recipe == MORE
    jsonschema.Draft202012Validator(printed).validate(recipe.to_dict())
