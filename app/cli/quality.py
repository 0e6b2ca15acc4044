"""Commands for signals, scores that were computed elsewhere, and rule sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tamis.app.cli.options import IdRole, RoleOptions, TextRole
from tamis.app.cli.terminal import app, out, read_text
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

signals = typer.Typer(no_args_is_help=True, help="Signals: the measurements of every document.")
scores = typer.Typer(no_args_is_help=True, help="Scores computed outside Tamis.")
rules = typer.Typer(no_args_is_help=True, help="Published rule sets.")
for _group, _name in ((signals, "signals"), (scores, "scores"), (rules, "rules")):
    app.add_typer(_group, name=_name)


@signals.command("list")
def list_signals(
    containing: Annotated[str, typer.Argument(help="Only names or titles that contain this.")] = "",
) -> None:
    """List the signals with unit and convention."""
    # Late: numba.
    from tamis.analytics.signals.signal import SIGNALS

    for each in SIGNALS:
        if containing.lower() in f"{each.name} {each.title}".lower():
            out.print(f"{each.name:<34} {each.unit:<14} {each.convention:<14} {each.title}", markup=False)


@signals.command("explain")
def explain(name: Annotated[str, typer.Argument(help="A signal.")]) -> None:
    """Say what a signal measures, how, in which range, and where the definition comes from."""
    # Late: numba.
    from tamis.analytics.signals.signal import SIGNALS

    each = SIGNALS[name]
    for what in ("key", "title", "help", "unit", "convention", "dtype", "low", "high", "source"):
        value = getattr(each, what)
        if value not in (None, ""):
            out.print(f"{what:<11} {value}", markup=False)


@scores.command("import")
def import_scores(
    path: Annotated[Path, typer.Argument(help="Parquet, CSV or JSONL with one row per document id.")],
    corpus: Annotated[str, typer.Argument(help="The corpus: file, folder or glob, or its name in the workspace.")],
    id_column: Annotated[str, typer.Option(help="The column with the document ids.")] = "id",
    text: TextRole = None,
    id: IdRole = None,
) -> None:
    """Add the numeric columns of a file to the next analysis of a corpus, as score_<column>."""
    # Late: numba.
    from tamis.analytics.signals.imported_scores import import_scores as import_file

    workspace = Workspace.default()
    known = workspace.corpora().get(corpus)
    roles = dict(known.roles) if known else RoleOptions(text=text, id=id).chosen
    opening = known.opening if known else {}
    opened = open_corpus(known.path if known else corpus, roles=roles or None, probes=workspace.probes, **opening)
    stored = import_file(workspace.root, opened, path, id_column=id_column)
    out.print(f"stored {stored.name}; tamis analyze {corpus} reads it", markup=False)


@rules.command("list")
def list_rules() -> None:
    """List the rule sets."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.presets import RULE_SETS

    for each in RULE_SETS.values():
        out.print(f"{each.name:<20} {len(each.rules):>3} rules  {each.title}", markup=False)


@rules.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A rule set.")],
    recipe: Annotated[Path, typer.Option("--to", help="The recipe.yaml to extend; it is created if it is missing.")],
    words: Annotated[str, typer.Option(help="Word convention: unicode, or spacy as datatrove splits.")] = "unicode",
) -> None:
    """Add a rule set to a recipe, as ordinary steps that can be edited."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.presets import with_rule_set
    from tamis.analytics.recipe.recipe import Recipe

    now = Recipe.from_yaml(read_text(recipe)) if recipe.exists() else Recipe(title=recipe.stem)
    more = with_rule_set(now, name, words=words)
    write_bytes(recipe, more.to_yaml().encode())
    out.print(f"added {len(more.steps) - len(now.steps)} steps to {recipe}, digest {more.digest[:16]}", markup=False)
