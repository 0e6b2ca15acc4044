"""Issues of a corpus: counts that need a look, each with the rules that select those documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import Operator, RowOperator
from tamis.analytics.operators.rows import SignalRange, SqlPredicate
from tamis.analytics.operators.sets import ExactDedup
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.study.scene import Scene

Severity = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Issue:
    """Something to look at.

    Attributes:
        name: stable name.
        title: what the documents are, to be read after a share: "12% repeat another document".
        help: why it matters.
        documents: how many, exact.
        kept: how many of them the recipe keeps, exact.
        severity: by share and kind.
        rules: select exactly these documents.
    """

    name: str
    title: str
    help: str
    documents: int
    kept: int
    severity: Severity
    rules: tuple[RowOperator, ...]


_REPEATS = SqlPredicate(predicate="norm_group >= 0 AND norm_group <> row", mode="keep")


def remedy(rules: Sequence[RowOperator]) -> Operator | None:
    """Return the operator that drops exactly these documents, where their condition cannot be a rule of a recipe.

    Group numbers mean nothing in another corpus, so documents that repeat another one are dropped by deduplication.
    """
    return ExactDedup(keep="first id") if tuple(rules) == (_REPEATS,) else None


@dataclass(frozen=True)
class _Look:
    """A possible issue: a rule over columns that must exist, and the shares from which its severity rises."""

    name: str
    title: str
    help: str
    rule: RowOperator
    medium: float
    high: float


_TEXTS = (
    _Look(
        "duplicates",
        "repeat another document (same normalised text)",
        "Keeping one of each group usually helps; the operator exact_dedup does so and names the kept twin.",
        _REPEATS,
        0.02,
        0.10,
    ),
    _Look(
        "fragments",
        "are fragments of fewer than 20 tokens",
        "Very short texts teach little and dominate document counts.",
        SignalRange(signal="n_tokens", max=19),
        0.10,
        0.40,
    ),
    _Look(
        "no-stop-words",
        "hold fewer than two different stop words",
        "Lists, code, tables and other languages than the stop words'.",
        SignalRange(signal="stop_words", max=1),
        0.15,
        0.50,
    ),
    _Look(
        "symbols",
        "have less than 60% words with a letter",
        "Tables, numbers, markup and line noise.",
        SignalRange(signal="alpha_word_share", max=0.6, strict_max=True),
        0.05,
        0.20,
    ),
    _Look(
        "repetition",
        "repeat themselves: over 15% of characters in duplicate 5-grams",
        "Templates, boilerplate and generated text.",
        SignalRange(signal="duplicate_5gram_share", min=0.15, strict_min=True),
        0.05,
        0.20,
    ),
    _Look(
        "unsure-language",
        "have a language detected with less than 50% confidence",
        "Mixed languages, code and very short texts.",
        SignalRange(signal="lang_confidence", max=0.5, strict_max=True),
        0.10,
        0.40,
    ),
    _Look(
        "long",
        "are longer than 8,192 tokens",
        "They are cut in training unless they are split first.",
        SignalRange(signal="n_tokens", min=8193),
        0.01,
        0.10,
    ),
)
_PICTURES = (
    _Look(
        "duplicates",
        "have the same pixels as another document",
        "Keeping one of each group usually helps: a rule of exact duplicates does so and names the kept twin.",
        _REPEATS,
        0.02,
        0.10,
    ),
    _Look(
        "tiny",
        "have a side of fewer than 64 pixels",
        "Icons and scraps: there is little in them to learn from.",
        SqlPredicate(predicate="width < 64 OR height < 64", mode="keep"),
        0.05,
        0.20,
    ),
    _Look(
        "blank",
        "show one colour on 95% of their area or more",
        "Blank pages, placeholders and single strokes.",
        SignalRange(signal="flat_share", min=0.95),
        0.02,
        0.10,
    ),
    _Look(
        "blurred",
        "are blurred (variance of the Laplacian below 50)",
        "Out of focus, enlarged, or a smooth gradient.",
        SignalRange(signal="sharpness", max=50, strict_max=True),
        0.05,
        0.20,
    ),
    _Look(
        "long-sided",
        "are more than three times as long as wide",
        "Banners, strips and scroll shots; training crops or squeezes them.",
        SqlPredicate(predicate="aspect > 3 OR aspect < 0.3333", mode="keep"),
        0.02,
        0.10,
    ),
    _Look(
        "dark-or-white",
        "are nearly black or nearly white (mean of grey below 20 or above 245)",
        "Failed exposures, fades and empty pages.",
        SqlPredicate(predicate="brightness < 20 OR brightness > 245", mode="keep"),
        0.05,
        0.20,
    ),
    _Look(
        "bordered",
        "have plain borders on more than 30% of their area",
        "Padded, framed or letterboxed.",
        SignalRange(signal="border_share", min=0.3, strict_min=True),
        0.10,
        0.40,
    ),
    _Look(
        "lettering",
        "are lettering or line drawings on more than 30% of their area",
        "Screenshots, scans and diagrams.",
        SignalRange(signal="text_share", min=0.3, strict_min=True),
        0.05,
        0.20,
    ),
    _Look(
        "animated",
        "have several frames or pages",
        "Only the first is measured and shown.",
        SignalRange(signal="frames", min=2),
        0.02,
        0.10,
    ),
    _Look(
        "no-caption",
        "have no caption",
        "Nothing to read beside the picture; a rule on n_tokens drops them where captions are needed.",
        SignalRange(signal="n_tokens", max=0),
        0.02,
        0.10,
    ),
)


def _looks(facts: Facts) -> Iterator[_Look]:
    """Yield what is looked for: of pictures what their step measures, since captions are short by nature."""
    yield from _PICTURES if "megapixels" in facts.columns else _TEXTS
    yield _Look(
        "no-embedding",
        "have no place on the map",
        "No word of theirs is known to the embedding model.",
        SqlPredicate(predicate="no_embedding", mode="keep"),
        0.01,
        0.10,
    )


def find_issues(scene: Scene) -> tuple[Issue, ...]:
    """Return the issues, the largest first; counts are exact, issues without documents are left out."""
    facts = scene.facts
    looks = [look for look in _looks(facts) if look.rule.columns() <= {*facts.columns, "row"}]
    found = []
    for look in looks:
        mask = row_masks(facts, [look.rule.model_copy(update={"missing": "drop"})])[0]
        documents = int(np.count_nonzero(mask))
        kept = int(np.count_nonzero(mask & scene.kept))
        share = documents / facts.n if facts.n else 0.0
        severity: Severity = "high" if share >= look.high else "medium" if share >= look.medium else "low"
        rules = (look.rule,)
        found.append(Issue(look.name, look.title, look.help, documents, kept, severity, rules))
    return tuple(sorted((issue for issue in found if issue.documents), key=lambda issue: -issue.documents))
