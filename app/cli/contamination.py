"""Commands that store evaluation sets, find their items in a corpus, and measure how many planted ones are found."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tamis.app.cli.options import ReadingOptions, TextRole, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, out, print_notes
from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

evaluation = typer.Typer(no_args_is_help=True, help="Evaluation sets: store them, find their items, measure recall.")
app.add_typer(evaluation, name="evaluation")

SetsName = Annotated[str, typer.Argument(help="Name of stored evaluation sets.")]


@evaluation.command("store")
def store(
    name: Annotated[str, typer.Argument(help="Name that rules use.")],
    paths: Annotated[list[str], typer.Argument(help="Files, folders or globs; each is one evaluation set.")],
    prompt: Annotated[
        str | None, typer.Option(help="Column of the prompts; found by name, as question.", show_default=False)
    ] = None,
    answer: Annotated[
        str | None, typer.Option(help="Column of the answers; found by name, as answer.", show_default=False)
    ] = None,
    passage: Annotated[
        str | None, typer.Option(help="Column of the passages; found by name, as context.", show_default=False)
    ] = None,
    text: TextRole = None,
    convention: Annotated[
        Literal["words-1", "letters-1", "folded-1"],
        typer.Option(help="What a word is: words-1 keeps symbols, folded-1 also folds accents and numbers."),
    ] = "letters-1",
) -> None:
    """Store the words of evaluation sets as hashes, their parts apart, for the rule idf_decontaminate."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.duplicates.evaluation_items import PARTS, PartColumns
    from tamis.analytics.duplicates.evaluation_sets import EvaluationSets, save_evaluation

    workspace = Workspace.default()
    columns = PartColumns(prompt=prompt, answer=answer, passage=passage, text=text)
    entry = save_evaluation(workspace, name, paths, columns=columns, convention=convention)
    sets = EvaluationSets.from_table(workspace.table(entry.digest))
    for place, each in enumerate(sets.sets):
        out.print(f"  {each:<28} {sets.set_sizes[place]:>9,} items", markup=False)
    parts = ", ".join(f"{int((sets.part == number).sum()):,} {part}" for number, part in enumerate(PARTS))
    out.print(f"  distinct texts: {parts}", markup=False)
    out.print(f"evaluation {entry.name}: {entry.digest}", markup=False)


def require_texts(corpus: Corpus) -> None:
    """Refuse a corpus whose documents have no texts.

    Raises:
        SettingError: it holds pictures without captions.
    """
    if not corpus.shape.has_texts:
        raise SettingError(
            "Items of evaluation sets are looked for in texts, and these pictures have no captions", value=corpus.name,
            fix="find copies of evaluation pictures with image_near_dedup, on one corpus of both",
        )  # fmt: skip


@evaluation.command("find")
@spread
def find(
    name: SetsName,
    path: CorpusPath,
    *,
    reading: ReadingOptions,
    share: Annotated[float, typer.Option(help="Smallest share of an item of 50 words or more, 0.5 to 1.")] = 0.8,
    parts: Annotated[
        list[str] | None,
        typer.Option("--part", help="prompt, answer, passage or whole; may be repeated.", show_default=False),
    ] = None,
    shown: Annotated[int, typer.Option(help="Hits to print, the strongest first.", min=0)] = 10,
    text: TextRole = None,
    of: Annotated[
        str | None, typer.Option(help="Look at this scope of conversations only, as prompt.", show_default=False)
    ] = None,
) -> None:
    """Count the documents of a corpus that hold items of evaluation sets, by set and part; drops nothing."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.duplicates.evaluation_sets import find_evaluation
    from tamis.analytics.operators.contamination import IdfDecontaminate
    from tamis.analytics.operators.operator import OPERATORS
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.signals.id_steps import id_steps
    from tamis.analytics.steps.facts_step import facts_step
    from tamis.analytics.study.contamination import find_contamination
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    given = {name: value for name, value in (("parts", parts), ("of", of)) if value}
    params = {"evaluation": find_evaluation(workspace, name).digest, "share": share, **given}
    rule = OPERATORS.build("idf_decontaminate", params)
    assert isinstance(rule, IdfDecontaminate)
    corpus = open_corpus(path, roles={"text": text} if text else None, probes=workspace.probes, **reading.chosen)
    print_notes(corpus.notes)
    require_texts(corpus)
    steps = id_steps(corpus)
    with bar(err) as progress:
        study = Study.open(corpus, workspace, steps=(*steps, facts_step(steps)), progress=progress)
        study.measure(Recipe().with_operator(rule), progress=progress)
    found = find_contamination(study, rule)
    for each in found.counts:
        out.print(f"  {each.name:<28} {each.sentence}", markup=False)
    for hit in range(min(shown, len(found))):
        document = study.facts.ids[int(found.rows[hit])].as_py()
        out.print(f"  {found.strengths[hit]:.3f}  {document}  {found.items(hit)}", markup=False)
    out.print(f"{found.documents:,} of {study.facts.n:,} documents hold an item: {len(found):,} hits, exact")


@evaluation.command("recall")
def recall(
    name: SetsName,
    path: CorpusPath,
    documents: Annotated[int, typer.Option(help="Documents of the sample, by keyed hash.", min=1)] = 2000,
    items: Annotated[int, typer.Option(help="Most items to plant, by keyed hash.", min=1)] = 1000,
    share: Annotated[float, typer.Option(help="Smallest share of an item of 50 words or more, 0.5 to 1.")] = 0.8,
    seed: Annotated[int, typer.Option(help="Of the keyed hash.")] = 0,
    text: TextRole = None,
) -> None:
    """Plant items into a sample of a corpus, in memory, and say how many of them each rule finds."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.duplicates.evaluation_sets import find_evaluation
    from tamis.analytics.duplicates.planted_items import planted_recall, sample_texts
    from tamis.analytics.study.contamination import items_of_entry
    from tamis.analytics.study.extrapolation import wilson

    if not 0.5 <= share <= 1:
        raise SettingError("The share of an item", value=share, allowed="0.5 to 1")
    workspace = Workspace.default()
    entry = find_evaluation(workspace, name)
    held = items_of_entry(workspace, entry)
    corpus = open_corpus(path, roles={"text": text} if text else None, probes=workspace.probes)
    require_texts(corpus)
    report = planted_recall(
        held,
        sample_texts(corpus, documents, seed=seed),
        seed=seed,
        most=items,
        share=share,
        convention=entry.convention,
    )
    out.print(
        f"{report.items:,} items planted, each in 4 ways, into {report.documents:,} documents by keyed hash,"
        f" seed {report.seed}; found (95% interval):"
    )
    for row in report.rows:
        if row.planted:
            near = wilson(row.found, row.planted)
            out.print(
                f"  {row.method:<18} {row.edit:<18} {row.words:<12} {row.found:>6,} of {row.planted:<6,}"
                f" {near.share:>6.1%} ({near.low:.1%} to {near.high:.1%})",
                markup=False,
            )
    for method, number in report.unplanted.items():
        out.print(f"  {method:<18} finds {number:,} documents of the sample as they are", markup=False)
