"""The content of a report on a recipe: collected once, written as HTML or as a dataset card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.effect.proxy_result import ProxyEffect
from tamis.analytics.effect.result import Effect
from tamis.analytics.effect.synthetic_dial import ReportedDial
from tamis.analytics.export.lock import LockedSample, tool_versions
from tamis.analytics.export.sample_predictions import locked_sample
from tamis.analytics.recipe.outcome import Outcome, Selection
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.chosen_texts import texts_of
from tamis.analytics.study.contamination import SetCount
from tamis.analytics.study.evaluation_counts import evaluation_counts
from tamis.analytics.study.queries import Scene, attribution, group_counts, sample_rows, why
from tamis.analytics.study.study import Study

EXCERPT = 320
"""Most characters of a document that a report quotes."""

MOST_GROUPS = 10

CONTAMINATION_HEADS = ("step", "evaluation set", "items", "looked for", "found", "documents", "of them by part")
"""Columns of the table of evaluation sets."""

CONTAMINATION_NOTE = (
    "Exact, over all documents, whatever other steps drop. The rules decontaminate and exclude_known count a document"
    " for the item it matches best, idf_decontaminate for every item it holds."
)

GROUPED_BY = ("source", "lang", "language", "label")


@dataclass(frozen=True)
class FunnelStep:
    """The documents left after a step.

    Attributes:
        step: its id, empty for the input.
        sentence: the rule in words.
        note: the author's remark.
        source: where the method comes from.
        warning: what to watch out for, empty for nothing.
        documents, tokens: left after it; tokens count copies.
        dropped: documents it dropped.
    """

    step: str
    sentence: str
    note: str
    source: str
    warning: str
    documents: int
    tokens: int
    dropped: int


@dataclass(frozen=True)
class QuotedExample:
    """A document quoted as an example.

    Attributes:
        id: of the document.
        step: id of the step that dropped it, empty for a kept one.
        reason: value, threshold and twin in words, empty for a kept one.
        text: the beginning of its text.
    """

    id: str
    step: str
    reason: str
    text: str


@dataclass(frozen=True, eq=False)
class Report:
    """The content of a report.

    Attributes:
        recipe: the recipe.
        corpus: name of the corpus.
        files: names and sha256 of its files.
        fingerprint: of the corpus.
        rows, errors: source rows, and those that are not documents.
        funnel: input first, then one per step.
        selection: digest of the selection.
        documents, copies, tokens: of the output.
        groups: result of ``group_counts`` by column: value, documents, kept, tokens, kept_tokens.
        attribution: result of ``attribution``: first, any and only per step.
        examples: kept and dropped documents; none when the report must not quote the corpus.
        effect: measured effect of the recipe, None if not measured.
        tools: versions of the tools that decided.
        columns: facts columns that the recipe reads.
        sample: predictions for the whole corpus if this corpus is a sample, else None.
        contamination: of each step that compares the corpus with other files, by id, the counts of each set of them;
            over all documents, whatever other steps drop.
        proxies: what transformers found about the recipe, one per size.
    """

    recipe: Recipe
    corpus: str
    files: tuple[tuple[str, str], ...]
    fingerprint: str
    rows: int
    errors: int
    funnel: tuple[FunnelStep, ...]
    selection: str
    documents: int
    copies: int
    tokens: int
    groups: dict[str, pa.Table]
    attribution: pa.Table
    examples: tuple[QuotedExample, ...]
    effect: Effect | None
    tools: dict[str, str]
    columns: tuple[str, ...]
    sample: LockedSample | None = None
    contamination: Mapping[str, tuple[SetCount, ...]] = field(default_factory=dict)
    proxies: tuple[ProxyEffect, ...] = ()
    dials: tuple[ReportedDial, ...] = ()

    @property
    def contamination_rows(self) -> list[tuple[object, ...]]:
        """Return a row for each step and evaluation set, as ``CONTAMINATION_HEADS``."""
        return [
            (step, each.name, each.items, each.looked_for, each.found, each.documents,
             ", ".join(f"{part} {number:,}" for part, number in each.by_part))
            for step, counts in self.contamination.items()
            for each in counts
        ]  # fmt: skip


def collect_report(
    study: Study,
    recipe: Recipe,
    *,
    effect: Effect | None = None,
    proxies: Sequence[ProxyEffect] = (),
    dials: Sequence[ReportedDial] = (),
    examples: int = 3,
) -> Report:
    """Return the content of a report.

    Args:
        study: the analysed corpus.
        recipe: what to report on; its measurements must be done.
        effect: of the recipe, from ``evaluate_effect``.
        proxies: of the recipe, from ``measure_proxy``.
        dials: shares of synthetic text, from ``sweep_shares``.
        examples: number of kept documents to quote, and of dropped ones per step; 0 quotes none.

    Raises:
        RecipeError: as ``plan.evaluate``.
    """
    facts = attach(study.facts, recipe.measures(), study.evidence)
    scene = Scene.build(facts, study.evidence, recipe=recipe)
    outcome = scene.outcome or study.evaluate(recipe)
    output = outcome.output
    return Report(
        recipe=recipe,
        corpus=study.corpus.name,
        files=tuple((file.name, file.sha256) for file in study.corpus.files),
        fingerprint=study.corpus.fingerprint,
        rows=study.corpus.rows,
        errors=study.documents.errors.num_rows,
        funnel=_funnel(outcome),
        selection=Selection.from_outcome(outcome, facts).digest,
        documents=output.documents,
        copies=output.copies,
        tokens=output.tokens,
        groups={name: _groups(scene, name) for name in GROUPED_BY if name in facts.columns},
        attribution=attribution(outcome, facts),
        examples=_examples(study, scene, outcome, examples),
        effect=effect,
        tools=tool_versions(),
        columns=tuple(sorted(recipe.columns())),
        sample=locked_sample(study, outcome),
        contamination=evaluation_counts(study, facts, outcome.steps),
        proxies=tuple(proxies),
        dials=tuple(dials),
    )


def _funnel(outcome: Outcome) -> tuple[FunnelStep, ...]:
    first = outcome.input
    found = [FunnelStep("", "All documents of the corpus", "", "", "", first.documents, first.tokens, 0)]
    for before, after, step in zip(outcome.counts, outcome.counts[1:], outcome.steps, strict=False):
        kind = type(step.operator)
        found.append(
            FunnelStep(
                step=step.id,
                sentence=step.operator.sentence(),
                note=step.note,
                source=kind.source,
                warning=kind.warning or "",
                documents=after.documents,
                tokens=after.tokens,
                dropped=before.documents - after.documents,
            )
        )
    return tuple(found)


def _groups(scene: Scene, column: str) -> pa.Table:
    """Return the counts of the largest groups, with the sum of the others in a last row."""
    table = group_counts(scene, column, limit=None).table
    rest = table.slice(MOST_GROUPS)
    if rest.num_rows < 2:
        return table
    sums = {name: [pc.sum(rest.column(name)).as_py()] for name in rest.column_names if name != "value"}
    last = pa.table({"value": [f"{rest.num_rows:,} other values"], **sums}).select(table.column_names)
    return pa.concat_tables([table.slice(0, MOST_GROUPS), last.cast(table.schema)])


def _examples(study: Study, scene: Scene, outcome: Outcome, count: int) -> tuple[QuotedExample, ...]:
    """Quote a few kept documents and a few of what each step drops, chosen by keyed hash."""
    if count < 1:
        return ()
    chosen = [(int(row), "") for row in sample_rows(scene, which="kept", n=count)]
    for step in outcome.steps:
        chosen += [(int(row), step.id) for row in sample_rows(scene, which="dropped", step=step.id, n=count)]
    rows = sorted({row for row, _ in chosen})
    texts = dict(zip(rows, texts_of(study.corpus, study.documents, _array(rows)).to_pylist(), strict=True))
    found = []
    for row, step_id in chosen:
        text = " ".join((texts[row] or "")[: 4 * EXCERPT].split())
        short = text if len(text) <= EXCERPT else text[:EXCERPT] + "…"
        reason = _reason(scene, outcome, row, step_id) if step_id else ""
        found.append(QuotedExample(str(scene.facts.ids[row].as_py()), step_id, reason, short))
    return tuple(found)


def _array(rows: list[int]) -> pa.Array:
    return pa.array(rows, pa.int64()).to_numpy()


def _reason(scene: Scene, outcome: Outcome, row: int, step_id: str) -> str:
    """Return why a step dropped a document, in words."""
    verdict = next((item for item in why(outcome, scene.facts, row) if item.step == step_id), None)
    if verdict is None:
        return ""
    parts = [f"value {verdict.value}"] if verdict.value is not None else []
    if verdict.threshold:
        parts.append(f"rule {verdict.threshold}")
    if verdict.twin is not None:
        parts.append(f"kept twin {scene.facts.ids[verdict.twin].as_py()}")
    if verdict.similarity is not None:
        parts.append(f"similarity {verdict.similarity:.3f}")
    return "; ".join(parts)
