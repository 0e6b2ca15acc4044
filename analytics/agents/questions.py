"""The questions an agent may ask about an analysed corpus. Pure: they read the study and return plain values.

Nothing here changes a corpus, a recipe or a decision; a rule that reads texts is measured as on the dashboard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.agents.answers import (
    ColumnAnswer,
    CorpusAnswer,
    CountAnswer,
    Hit,
    Noticed,
    PreviewAnswer,
    RecipeAnswer,
    SearchAnswer,
    SizeOf,
    StatedRule,
    StepAnswer,
    TextAnswer,
)
from tamis.analytics.agents.disclosure import LONGEST_TEXT, Disclosure, number, texts_of
from tamis.analytics.operators.operator import OPERATORS, Operator, RowOperator
from tamis.analytics.operators.patterns import words_pattern
from tamis.analytics.operators.rows import Regex, SqlPredicate
from tamis.analytics.recipe.recipe import Recipe, params_of
from tamis.analytics.study.audit_findings import audit_findings
from tamis.analytics.study.documents import rows_of
from tamis.analytics.study.groups import group_counts
from tamis.analytics.study.issues import find_issues, remedy
from tamis.analytics.study.likeness import likeness
from tamis.analytics.study.meaning import sentence_embedder, sentence_example
from tamis.analytics.study.nearest_documents import vectors_of
from tamis.analytics.study.scene import Scene, selection_rules
from tamis.analytics.study.step_preview import preview_step
from tamis.analytics.study.study import Study
from tamis.data.errors import JobError, RecipeError
from tamis.data.progress import Progress

Kind = Literal["words", "regex", "condition"]
GROUPS = 20
MOST_HITS = 100
PERCENTS = (0, 1, 5, 25, 50, 75, 95, 99, 100)


def describe_corpus(study: Study, name: str, disclosure: Disclosure) -> CorpusAnswer:
    """Return what a corpus holds: sizes, roles, largest sources and languages, findings, names of columns."""
    facts, corpus = study.facts, study.corpus
    scene = Scene(facts)
    findings: list[tuple[str, str, int, tuple[RowOperator, ...]]] = [
        (each.title, each.help, each.documents, each.rules) for each in find_issues(scene)
    ]
    findings += [(each.title, each.help, each.documents, (each.rule,)) for each in audit_findings(scene)]
    vectors = vectors_of(study)
    return CorpusAnswer(
        name=name,
        documents=facts.n,
        tokens=int(facts.whole("n_tokens").sum()),
        bytes=int(facts.whole("bytes").sum()),
        errors=facts.errors,
        shape=corpus.shape.words,
        columns_by_role=dict(corpus.roles.known()),
        sources=_sizes(scene, "source"),
        languages=_sizes(scene, "lang"),
        embedding=None if vectors is None else str(vectors.facts["tier"]),
        findings=tuple(
            Noticed(title, help_, documents, _rule(remedy(rules) or selection_rules(rules, mode="drop")[0]))
            for title, help_, documents, rules in sorted(findings, key=lambda each: (-each[2], each[0]))
            if documents
        ),
        columns=tuple(facts.columns),
        texts_may_leave=disclosure.texts,
    )


def describe_column(study: Study, column: str, disclosure: Disclosure) -> ColumnAnswer:
    """Return the percentiles of a column of numbers, or the largest groups of another one; exact.

    Raises:
        RecipeError: there is no such column; the message names the nearest.
    """
    facts = study.facts
    info = facts.info(column)
    about = (info.name, info.title, info.unit, info.help, info.type)
    if info.numeric:
        values = facts.numbers(column)
        there = values[~np.isnan(values)]
        cuts = np.percentile(there, PERCENTS, method="inverted_cdf").tolist() if len(there) else []
        shown = {str(percent): number(cut) for percent, cut in zip(PERCENTS[: len(cuts)], cuts, strict=True)}
        return ColumnAnswer(*about, missing=len(values) - len(there), percentiles=shown)
    missing = facts.array(column).null_count
    groups = group_counts(Scene(facts), column, limit=GROUPS)
    different = groups.distinct - bool(missing)
    values_shown = _groups(groups.table) if disclosure.shows(info) else None
    return ColumnAnswer(*about, missing=missing, values=values_shown, different=different)


def search(
    study: Study,
    kind: Kind,
    query: str,
    disclosure: Disclosure,
    *,
    where: str = "",
    offset: int = 0,
    limit: int = 20,
    seconds: float = 60,
    progress: Progress | None = None,
) -> SearchAnswer:
    """Return the documents that hold words, match a regular expression, or fulfil a condition.

    Args:
        study: the corpus.
        kind: ``words`` (in this order, over any white space, in any case), ``regex`` (RE2) or ``condition``.
        query: the words, the pattern or the condition.
        disclosure: what may leave.
        where: a condition that must hold too.
        offset, limit: the page, in id order.
        seconds: the longest estimated measurement to start.
        progress: where to report.

    Raises:
        RecipeError: a wrong pattern or condition, or a page outside the limits.
        JobError: the measurement would take longer.
    """
    rules = (*_rules_of(kind, query), *([_condition(where)] if where.strip() else []))
    scene = select(study, rules, seconds=seconds, progress=progress)
    found = np.flatnonzero(scene.selected)
    page = found[_page(offset, limit)]
    return SearchAnswer(
        documents=len(found),
        tokens=_tokens(study, found),
        hits=_hits(study, page, disclosure),
        select=tuple(map(_rule, scene.selection)),
    )


def search_meaning(
    study: Study,
    sentence: str,
    disclosure: Disclosure,
    *,
    floor: float = -1.0,
    where: str = "",
    offset: int = 0,
    limit: int = 20,
    seconds: float = 60,
) -> SearchAnswer:
    """Return the documents nearest in meaning to a sentence, by the cosine of their vectors; all are compared.

    ``documents`` counts those with at least the cosine ``floor``.

    Raises:
        SettingError: the corpus has no embedding, or the sentence has none.
        RecipeError: a wrong condition, or a page outside the limits.
    """
    if not sentence.strip():
        raise RecipeError("Say what to look for", fix="write a sentence")
    within = select(study, [_condition(where)], seconds=seconds).selected if where.strip() else None
    like = likeness(study, sentence_example(study, sentence, sentence_embedder(study)))
    near = like.cosine >= floor
    found = np.flatnonzero(near if within is None else near & within)
    order = found[np.lexsort((found, -like.cosine[found]))][_page(offset, limit)]
    return SearchAnswer(
        documents=len(found),
        tokens=_tokens(study, found),
        hits=_hits(study, order, disclosure, like.cosine[order].astype(np.float32)),
        compared=like.tier,
    )


def count(study: Study, condition: str, *, seconds: float = 60) -> CountAnswer:
    """Return how many documents fulfil a condition, and their tokens; exact."""
    found = np.flatnonzero(select(study, [_condition(condition)], seconds=seconds).selected)
    tokens = study.facts.whole("n_tokens")
    return CountAnswer(len(found), int(tokens[found].sum()), study.facts.n, int(tokens.sum()))


def try_recipe(study: Study, recipe: Recipe, *, seconds: float = 60, progress: Progress | None = None) -> RecipeAnswer:
    """Return what is left after each step of a recipe; exact."""
    require_measured(study, recipe, seconds=seconds, progress=progress)
    outcome = study.evaluate(recipe)
    sentences = ["", *(step.operator.sentence() for step in outcome.steps)]
    steps = [
        StepAnswer(each.step or "input", said, each.documents, each.tokens)
        for each, said in zip(outcome.counts, sentences, strict=True)
    ]
    return RecipeAnswer(recipe.digest, tuple(steps))


def preview(
    study: Study,
    operator: str,
    params: dict[str, Any],
    disclosure: Disclosure,
    *,
    after: Recipe | None = None,
    seconds: float = 60,
    progress: Progress | None = None,
) -> PreviewAnswer:
    """Return what a rule would drop after the steps of a recipe: counts, exact, and examples from both sides.

    Raises:
        RecipeError: unknown operator or parameter, or one out of bounds; the message names each.
        JobError: a measurement would take longer than ``seconds``.
    """
    before = after or Recipe()
    recipe = before.with_operator(operator, **params)
    (step,) = recipe.beside(before)
    require_measured(study, recipe, seconds=seconds, progress=progress)
    scene = Scene.build(study.facts, study.evidence, recipe=recipe)
    assert scene.outcome is not None
    found = preview_step(scene, step.id)
    twins = [study.facts.ids[twin].as_py() if twin >= 0 else None for twin in found.twins]
    gone = _hits(study, found.dropped, disclosure)
    return PreviewAnswer(
        rule=step.operator.sentence(),
        documents=found.before.documents,
        tokens=found.before.tokens,
        dropped_documents=found.documents,
        dropped_tokens=found.tokens,
        dropped_by_source=_by_source(study, scene.outcome.dropped_by(step.id)),
        dropped=tuple(replace(hit, twin=twin) for hit, twin in zip(gone, twins, strict=True)),
        kept=_hits(study, found.kept, disclosure),
        caution=step.operator.caution(),
    )


def read_text(study: Study, document: str, disclosure: Disclosure) -> TextAnswer:
    """Return the beginning of the text of one document.

    Raises:
        AccessError: texts may not leave.
        RecipeError: there is no such document.
    """
    disclosure.require_texts()
    [text] = texts_of(study, [row_of(study, document)])
    return TextAnswer(document, text[:LONGEST_TEXT], len(text))


def row_of(study: Study, document: str) -> int:
    """Return the facts row of a document by its id.

    Raises:
        RecipeError: there is no such document.
    """
    rows = rows_of(study.facts, [document])
    if not len(rows):
        raise RecipeError("There is no such document", value=document, fix="take an id of a search")
    return int(rows[0])


def rule_of(operator: str, params: Mapping[str, Any]) -> RowOperator:
    """Return a rule on one document as a condition.

    Raises:
        RecipeError: unknown operator or parameter, or a rule on many documents.
    """
    built = OPERATORS.build(operator, params)
    if not isinstance(built, RowOperator):
        raise RecipeError("This rule decides many documents together and is no condition", value=operator)
    return built


def select(
    study: Study,
    rules: Sequence[RowOperator],
    *,
    seconds: float,
    progress: Progress | None = None,
) -> Scene:
    """Measure what rules read and return the scene in which the documents that fulfil all of them are selected."""
    require_measured(study, Recipe(), rules, seconds=seconds, progress=progress)
    return Scene.build(study.facts, study.evidence, selection=rules)


def require_measured(
    study: Study,
    recipe: Recipe,
    selection: Sequence[RowOperator] = (),
    *,
    seconds: float,
    progress: Progress | None = None,
) -> None:
    """Run what a recipe and a selection still need, unless it takes too long.

    Raises:
        JobError: the estimate exceeds ``seconds``; the message names the steps.
    """
    pending = study.pending(recipe, selection)
    estimated = sum(step.estimate.seconds for step in pending)
    if estimated > seconds:
        raise JobError(
            "This has not been measured yet, and an agent starts no long work",
            value=", ".join(f"{step.spec.title} (about {step.estimate.seconds:.0f} s)" for step in pending),
            allowed=f"up to {seconds:g} s",
            fix="a person measures it on the page Recipe, or starts tamis mcp with more --seconds",
        )
    study.measure(recipe, selection, progress=progress)


def _rules_of(kind: Kind, query: str) -> tuple[RowOperator, ...]:
    if kind == "condition":
        return (_condition(query),)
    if kind == "regex":
        return (rule_of(Regex.name, {"pattern": query, "mode": "keep"}),)
    if kind != "words":
        raise RecipeError("There is no such kind of search", value=kind, allowed=("words", "regex", "condition"))
    if not query.split():
        raise RecipeError("Say which words to look for", fix="write at least one")
    return (rule_of(Regex.name, {"pattern": words_pattern(query), "ignore_case": True, "mode": "keep"}),)


def _condition(text: str) -> RowOperator:
    return rule_of(SqlPredicate.name, {"predicate": text, "missing": "drop"})


def _page(offset: int, limit: int) -> slice:
    if not 1 <= limit <= MOST_HITS or offset < 0:
        raise RecipeError("Page is outside the limits", value=(offset, limit), allowed=f"1 to {MOST_HITS} rows")
    return slice(offset, offset + limit)


def _rule(operator: Operator) -> StatedRule:
    return StatedRule(operator.name, params_of(operator))


def _hits(
    study: Study, rows: NDArray[np.int64], disclosure: Disclosure, cosine: NDArray[np.float32] | None = None
) -> tuple[Hit, ...]:
    ids, tokens = (column.to_pylist() for column in study.facts.table(["id", "n_tokens"], rows).columns)
    similar = [None] * len(rows) if cosine is None else [round(float(each), 4) for each in cosine]
    texts = disclosure.snippets(study, rows.tolist())
    return tuple(map(Hit, ids, tokens, similar, texts))


def _tokens(study: Study, rows: NDArray[np.int64]) -> int:
    return int(study.facts.whole("n_tokens")[rows].sum())


def _sizes(scene: Scene, column: str) -> tuple[SizeOf, ...]:
    if column not in scene.facts.columns:
        return ()
    return _groups(group_counts(scene, column, limit=GROUPS).table)


def _groups(table: pa.Table) -> tuple[SizeOf, ...]:
    rows = table.select(["value", "documents", "tokens"]).to_pylist()
    return tuple(SizeOf(**row) for row in rows)


def _by_source(study: Study, rows: NDArray[np.int64]) -> tuple[SizeOf, ...]:
    facts = study.facts
    if "source" not in facts.columns:
        return ()
    table = pa.table({"value": facts.array("source").take(pa.array(rows)).cast(pa.string()),
                      "tokens": facts.whole("n_tokens")[rows]})  # fmt: skip
    sums = table.group_by("value").aggregate([("tokens", "count"), ("tokens", "sum")])
    order = pc.sort_indices(sums, sort_keys=[("tokens_count", "descending"), ("value", "ascending")])
    rows_ = sums.take(order[:GROUPS]).select(["value", "tokens_count", "tokens_sum"]).to_pylist()
    return tuple(SizeOf(row["value"], row["tokens_count"], row["tokens_sum"]) for row in rows_)
