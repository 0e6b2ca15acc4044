"""The command that teaches a classifier from labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tamis.app.cli.options import RoleOptions, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, out, read_text
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from tamis.analytics.effect.label_classifier import Examples, LabelClassifier
    from tamis.analytics.study.study import Study
    from tamis.data.reviews import Event

Files = list[Path] | None


@app.command("train-classifier")
@spread
def train_classifier(
    path: CorpusPath,
    like: Annotated[
        Files,
        typer.Option(
            help="Examples of what you look for: texts (JSONL, Parquet, CSV, text), or JSONL with id alone.",
            show_default=False,
        ),
    ] = None,
    unlike: Annotated[
        Files, typer.Option(help="Examples of what you do not look for, in the same form.", show_default=False)
    ] = None,
    like_tag: Annotated[
        list[str] | None, typer.Option(help="A tag whose selection holds examples.", show_default=False)
    ] = None,
    unlike_tag: Annotated[
        list[str] | None, typer.Option(help="A tag whose selection holds counterexamples.", show_default=False)
    ] = None,
    reviews: Annotated[bool, typer.Option(help="Take what reviewers keep as examples, what they drop as not.")] = False,
    name: Annotated[str, typer.Option(help="Name of the concept.")] = "",
    min_probability: Annotated[
        float, typer.Option(min=0.001, max=0.999, help="Keep documents of at least this probability.")
    ] = 0.5,
    number: Annotated[int, typer.Option("--number", min=0, help="Documents to propose for labelling.")] = 10,
    recipe: Annotated[
        Path | None, typer.Option(help="Add the rule to this recipe.yaml, in the written one.", show_default=False)
    ] = None,
    written: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a recipe with the rule here.", show_default=False)
    ] = None,
    *,
    roles: RoleOptions,
) -> None:
    """Teach a classifier by examples: say how well it learnt and what to label next, and write its rule."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.label_classifier import next_to_label
    from tamis.analytics.effect.label_classifier import train_classifier as train
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.analytics.study.study import Study

    workspace = Workspace.default()
    start = Recipe.from_yaml(read_text(recipe)) if recipe is not None else Recipe(title=f"Taught: {name or 'concept'}")
    corpus = open_corpus(path, roles=roles.chosen, probes=workspace.probes)
    with bar(err) as progress:
        study = Study.open(corpus, workspace, progress=progress)
        ours = _examples(study, like, like_tag)
        others = _examples(study, unlike, unlike_tag)
        if reviews:
            kept, dropped = _voted(study)
            ours, others = ours + kept, others + dropped
        found = train(study, ours, others, name=name)
        rule = found.rule(min_probability)
        alone = Recipe().with_operator(rule)
        study.measure(alone, progress=progress)
        matched = int((study.evaluate(alone).copies > 0).sum())
    _say(found)
    out.print(f"the rule keeps {matched:,} of {study.facts.n:,} documents, exact", markup=False)
    for each in next_to_label(study, found, most=number):
        out.print(
            f"label next: {each.id}  probability {each.probability:.2f}  density {each.density:.2f}", markup=False
        )
    if written is not None:
        write_bytes(written, start.with_operator(rule).to_yaml().encode())
        out.print(f"wrote {written}", markup=False)


def _examples(study: Study, files: Files, tags: list[str] | None) -> Examples:
    """Return the examples of files and tags."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.label_classifier import Examples
    from tamis.analytics.review.taught_labels import tagged_examples

    found = Examples()
    for file in files or ():
        found += Examples.of_file(study, file)
    for tag in tags or ():
        found += tagged_examples(study, _events(study), tag)
    return found


def _voted(study: Study) -> tuple[Examples, Examples]:
    """Return what reviewers keep and drop."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.review.taught_labels import voted_examples

    return voted_examples(study, _events(study))


def _events(study: Study) -> list[Event]:
    """Return what reviewers said about this corpus."""
    # Late: SQLAlchemy.
    from tamis.data.reviews import ReviewStore

    return list(ReviewStore.of(study.workspace.root).events(study.corpus.text_fingerprint))


def _say(found: LabelClassifier) -> None:
    """Print how well held-out examples are found, and whether probabilities are what they say."""
    examples, calibration = found.examples, found.calibration
    likes = int(examples.like.sum())
    out.print(
        f"{likes:,} examples and {len(examples) - likes:,} counterexamples ({examples.repeated:,} repeated left out),"
        f" {found.tier} vectors",
        markup=False,
    )
    out.print(f"average precision of held-out labels (chance {likes / len(examples):.3f}), by number of labels:")
    for point in found.curve:
        out.print(
            f"  {point.labels:>6,}  {point.average_precision:.3f}  ({point.low:.3f} to {point.high:.3f})", markup=False
        )
    out.print(
        f"Brier score {calibration.brier:.3f} ({calibration.constant:.3f} without a classifier);"
        " predicted and observed share of held-out labels:",
        markup=False,
    )
    for each in calibration.bins:
        seen = each.observed
        out.print(
            f"  {each.predicted:6.1%}  {seen.share:6.1%}  ({seen.low:.1%} to {seen.high:.1%}, {seen.of:,})",
            markup=False,
        )
