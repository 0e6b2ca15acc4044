"""How far a quick proxy can be trusted: how often it ranks two recipes as a larger model does, as measured.

Source: ``python -m benchmarks.experiment_curation agreement``, see docs/effect.md. It stands beside each verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "docs/effect.md"


@dataclass(frozen=True)
class Agreement:
    """Decisions of one proxy beside those of a larger one.

    Attributes:
        larger: size of the larger model.
        agree, pairs: pairs of recipes that both rank alike, of all pairs, over all corpora.
        correlation: Spearman's rank correlation over the recipes of a corpus, the lowest of all corpora.
        recipes: how many there were on each corpus.
    """

    larger: str
    agree: int
    pairs: int
    correlation: float
    recipes: tuple[int, ...]


NGRAM = "n-gram"

AGREEMENT: dict[str, Agreement] = {
    NGRAM: Agreement("2M", 196, 211, 0.93, (16, 14)),
    "0.5M": Agreement("2M", 194, 211, 0.94, (16, 14)),
    "2M": Agreement("8M", 55, 60, 0.92, (10, 6)),
}
"""Proxy -> what was measured."""


def trust_sentence(proxy: str) -> str:
    """Return how often a proxy agrees with a larger model, in words; the largest one run has nothing above it."""
    found = AGREEMENT.get(proxy)
    if found is None:
        return f"No larger model was run to say how far {proxy} can be trusted."
    recipes = " and ".join(map(str, found.recipes))
    return (
        f"{proxy} agrees with a {found.larger} transformer in {found.agree} of {found.pairs} decisions between two "
        f"recipes (rank correlation {found.correlation:.2f} or more over {recipes} recipes on "
        f"{len(found.recipes)} corpora, see {SOURCE})."
    )
