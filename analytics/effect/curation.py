"""Ways to curate a corpus for a target under one token budget: what a search for a recipe chooses among.

A way is a point of a small grid: a published rule set that filters first, how duplicates are dropped, what scores the
documents, how the score spends the budget, how much of it, and the order of training. Each way is built into an
ordinary recipe.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal, get_args

import pyarrow as pa

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.mixture_fit import FitParams, fit_mixture
from tamis.analytics.effect.mixture_swarm import MOST_DOMAINS, DomainParams
from tamis.analytics.effect.scorer_fit import relevance_operator
from tamis.analytics.effect.suggest import Duplicates
from tamis.analytics.effect.target import Target, TargetEntry
from tamis.analytics.operators.operator import OPERATORS, measures_of
from tamis.analytics.operators.relevance import Relevance
from tamis.analytics.recipe.presets import RULE_SETS, with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.relevance_step import METHODS
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.hashing import key64, uniform
from tamis.data.progress import NullProgress, Progress

Spending = Literal["best", "sampled", "curve", "best of each group", "fitted mixture"]
"""How a score spends the budget: the best documents; a softmax sample; copies by a rising curve of quality; the natural
share of every group, its best documents; shares of groups fitted to the target, their best documents."""

Amount = Literal["all", "half", "a quarter"]
"""How much of the budget is spent: where little of a corpus is wanted, the rest would be filled with something else."""

TrainingOrder = Literal["", "best last", "short first"]
ORDERS: tuple[TrainingOrder, ...] = ("best last", "short first")
"""Orders that are tried; without a score there is no best."""

PARTS: Mapping[str, int] = {"all": 1, "half": 2, "a quarter": 4}
"""Amount -> what the budget is divided by."""

TEMPERATURE, MOST_COPIES, MIXTURE_TRIALS = 0.5, 4, 12
OTHERS = 2
"""Other values of each choice that are tried around the best way."""

MOST_PLAIN = len(RULE_SETS) + 1
MOST_CHANGES = 3 * OTHERS + 2 * 2
"""Ways at most: those to beat; those that change the rule set, the score or the spending, duplicates or the amount."""


@dataclass(frozen=True)
class Curation:
    """One way to curate.

    Attributes:
        rules: name of a published rule set that filters first, empty for none.
        duplicates: how duplicates are dropped.
        method: what scores the documents, see ``METHODS``; empty for a random draw.
        spending: how the score spends the budget; ``best`` without a method.
        amount: how much of the budget is spent; ``all`` without a method.
        order: of training, empty for a shuffled one.
    """

    rules: str = ""
    duplicates: Duplicates = "exact"
    method: str = "classifier"
    spending: Spending = "best"
    amount: Amount = "all"
    order: TrainingOrder = ""

    @property
    def steps(self) -> int:
        """Return the number of choices that are not the plainest one; of two equally good ways the simpler is taken."""
        return sum(getattr(self, name) != value for name, value in PLAINEST.items())

    def said(self, name: str) -> str:
        """Return one choice in words."""
        value = str(getattr(self, name))
        if name == "rules":
            return f"rule set {value}" if value else "no rule set"
        if name == "duplicates":
            return f"{value} duplicates dropped" if value != "none" else "duplicates left"
        if name == "method":
            return f"relevance by {value.replace('_', ' ')}" if value else "a random draw"
        if name == "amount":
            return f"{value} of the budget"
        if name == "order":
            return value or "shuffled"
        return {"best": "the best up to the budget", "sampled": "sampled, better ones more often",
                "curve": "copies by a quality curve"}.get(value, value)  # fmt: skip

    def sentence(self) -> str:
        """Return the way in words."""
        names = ["rules"] * bool(self.rules) + ["duplicates", "method"]
        names += ["spending"] * bool(self.method) + ["amount"] * (self.amount != "all") + ["order"] * bool(self.order)
        return ", ".join(self.said(name) for name in names)


PLAINEST: Mapping[str, str] = {
    "rules": "", "duplicates": "none", "method": "", "spending": "best", "amount": "all", "order": "",
}  # fmt: skip
CHOICES = {
    "rules": "Filters", "duplicates": "Duplicates", "method": "Score", "spending": "Budget", "amount": "Amount",
    "order": "Order",
}  # fmt: skip
"""Field of a way -> its name for people, in the order of a recipe."""

if set(PLAINEST) != {each.name for each in fields(Curation)}:
    raise AssertionError("every choice has a plainest value")


@dataclass(frozen=True, eq=False)
class Ingredients:
    """What recipes of a search are built from; fitted parts are made once.

    Attributes:
        study: the corpus.
        entry: names the target in rules.
        seen: the target; only the half that recipes may see is read.
        tokens: the budget.
        by: column of the groups, empty for none.
        protocol: sizes and seeds of the mixture's trials.
    """

    study: Study
    entry: TargetEntry
    seen: Target
    tokens: int
    by: str
    protocol: Protocol
    _weights: dict[int, object] = field(default_factory=dict)

    def build(self, way: Curation, *, progress: Progress | None = None) -> Recipe:
        """Return the recipe of a way.

        Raises:
            SettingError: the mixture cannot be fitted: too large a budget, too few groups.
        """
        recipe = with_rule_set(Recipe(), way.rules) if way.rules else Recipe()
        if way.duplicates != "none":
            recipe = recipe.with_operator(OPERATORS.build(f"{way.duplicates}_dedup", {}))
        tokens = max(self.tokens // PARTS[way.amount], 1)
        if not way.method:
            return self._ordered(recipe.with_operator(OPERATORS.build("token_budget", {"amount": tokens})), way, "")
        watch = progress or NullProgress()
        size: dict[str, float] = {"tokens": tokens} if way.spending == "best" else {"share": 1.0}
        rule = relevance_operator(self.study, self.seen, self.entry, way.method, progress=watch, **size)
        if not isinstance(rule, Relevance):
            raise SettingError("A search scores by relevance", value=way.method, allowed=METHODS)
        recipe = recipe.with_operator(rule)
        if way.spending != "best":
            recipe = recipe.with_operator(OPERATORS.build(*self._spent(way, tokens, rule.column, watch)))
        return self._ordered(recipe, way, rule.column)

    def _spent(self, way: Curation, tokens: int, score: str, progress: Progress) -> tuple[str, dict[str, object]]:
        """Return name and parameters of the rule that spends the budget."""
        if way.spending == "sampled":
            return "softmax_sample", {"signal": score, "temperature": TEMPERATURE, "tokens": tokens}
        if way.spending == "curve":
            return "quality_curve", {"signal": score, "tokens": tokens, "max_copies": MOST_COPIES}
        shared = {"by": self.by, "prefer": score, "tokens": tokens}
        if way.spending == "best of each group":
            return "mixture", {**shared, "alpha": 1.0}
        return "mixture", {**shared, "weights": self._fitted(tokens, progress)}

    def _fitted(self, tokens: int, progress: Progress) -> object:
        """Return the weights of the fitted mixture, which reads the half that recipes may see."""
        if tokens not in self._weights:
            texts = self.study.workspace.put_table(pa.table({"text": self.seen.seen}))
            half = TargetEntry(self.entry.name, texts, "the half that recipes may see", len(self.seen.seen), 0)
            params = FitParams(DomainParams(self.by), tokens, max_copies=1, trials=MIXTURE_TRIALS, pull=0.05)
            found = fit_mixture(
                self.study, half, params, protocol=self.protocol, halves="mixture halves", progress=progress
            )
            self._weights[tokens] = [item.model_dump() for item in found.operator().weights]
        return self._weights[tokens]

    def _ordered(self, recipe: Recipe, way: Curation, score: str) -> Recipe:
        if way.order == "best last":
            return recipe.with_operator("curriculum", order="best last", difficulty=score)
        if way.order == "short first":
            return recipe.with_operator("curriculum", order="easy to hard", difficulty="n_tokens")
        return recipe


def groups_column(study: Study) -> str:
    """Return the column whose groups a search mixes: sources, else clusters, with 2 to 24 values; empty for none."""
    for name in ("source", "cluster"):
        if name in study.facts.columns and 2 <= len(study.facts.array(name).unique()) <= MOST_DOMAINS:
            return name
    return ""


def choices(study: Study, *, by: str, near: bool) -> dict[str, Sequence[str]]:
    """Return field of a way -> the values that this corpus supports; orders are tried at the end of a search.

    Raises:
        SettingError: there is no column of that name.
    """
    columns = study.facts.columns
    if by and by not in columns:
        raise SettingError("No column of this name", value=by, allowed=columns, fix="choose a column of groups")
    embedded = any(step.name == "embeddings" for step in study.evidence.steps)
    copies = ["none", "exact"] if "norm_group" in columns else ["none"]
    return {
        "rules": ["", *(name for name in RULE_SETS if _fits(name, columns))],
        "duplicates": [*copies, "near"] if near else copies,
        "method": ["", *(name for name, kind in METHODS.items() if embedded or kind.input == "words")],
        "spending": [name for name in get_args(Spending) if by or name in ("best", "sampled", "curve")],
        "amount": list(PARTS),
    }


def _fits(name: str, columns: Collection[str]) -> bool:
    """Return whether a corpus has the columns of a rule set, or they can be measured on request."""
    operators = [step.operator for step in with_rule_set(Recipe(), name).steps]
    measured = {measure.column for operator in operators for measure in measures_of(operator)}
    return all(column in columns or column in measured for operator in operators for column in operator.columns())


def start_ways(options: Mapping[str, Sequence[str]], *, count: int, seed: int) -> tuple[Curation, ...]:
    """Return the ways a search starts from: the default, those that change one choice, then draws by keyed hash.

    Args:
        options: see ``choices``.
        count: ways at most.
        seed: of the draws.
    """
    first = Curation(duplicates=_dropped(options))
    found = dict.fromkeys([first, *_one_change(first, options)])
    whole = [way for way in map(_way, _grid(options)) if way not in found]
    drawn = uniform(key64(way.sentence() for way in whole), seed=seed, salt="ways to curate")
    found |= dict.fromkeys(whole[place] for place in sorted(range(len(whole)), key=lambda k: (drawn[k], k)))
    return tuple(itertools.islice(found, count))


def plain_ways(options: Mapping[str, Sequence[str]]) -> tuple[Curation, ...]:
    """Return what a recipe has to beat: no rules and each published rule set, copies dropped, a random draw."""
    return tuple(Curation(rules, _dropped(options), method="") for rules in options["rules"])


def changed_ways(
    best: Curation, options: Mapping[str, Sequence[str]], losses: Mapping[Curation, float]
) -> tuple[Curation, ...]:
    """Return the ways that differ from one in a single choice, at most ``OTHERS`` for each choice.

    Args:
        best: the way that is changed.
        options: see ``choices``.
        losses: of ways that were measured; values of a choice with the lowest loss so far come first.
    """
    tried: dict[str, Sequence[str]] = {}
    for name, values in options.items():
        lowest = {value: _lowest(name, value, losses) for value in values if value != getattr(best, name)}
        tried[name] = sorted(lowest, key=lowest.__getitem__)[:OTHERS]
    return tuple(dict.fromkeys(_one_change(best, tried)))


def _lowest(name: str, value: str, losses: Mapping[Curation, float]) -> float:
    """Return the lowest loss of a way with one value of a choice."""
    return min((loss for way, loss in losses.items() if getattr(way, name) == value), default=float("inf"))


def _dropped(options: Mapping[str, Sequence[str]]) -> Duplicates:
    """Return how duplicates are dropped where nothing else is said."""
    return "exact" if "exact" in options["duplicates"] else "none"


def _one_change(first: Curation, options: Mapping[str, Sequence[str]]) -> Iterator[Curation]:
    """Yield ways that differ from the first in one choice, the choices in turn."""
    lists = [
        [_tidy(replace(first, **{name: value})) for value in values]  # type: ignore[arg-type]
        for name, values in options.items()
    ]
    for turn in itertools.zip_longest(*lists):
        yield from (way for way in turn if way is not None and way != first)


def _tidy(way: Curation) -> Curation:
    """Return a way; without a score there is nothing by which to spend or to order."""
    return way if way.method else Curation(way.rules, way.duplicates, "")


def _grid(options: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    for values in itertools.product(*options.values()):
        way = dict(zip(options, values, strict=True))
        if way["method"] or (way["spending"], way["amount"]) == ("best", "all"):
            yield way


def _way(values: Mapping[str, str]) -> Curation:
    return Curation(**values)  # type: ignore[arg-type]
