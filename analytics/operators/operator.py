"""Operators: the rules of recipes, and the registry that forms, schema and documentation are generated from.

An operator is a frozen class. Its fields are its parameters (types, bounds, units and help from ``pydantic.Field``);
its class variables give the term of the field and the source of the method. The form in the browser,
validation, the JSON schema, the documentation and the command line all follow from the class. Its meaning is frozen:
a new meaning is a new name.

Types of operator parameters: what they accept, how they are sorted, which form field shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tamis.analytics.signals.language_codes import language_code
from tamis.analytics.signals.step import signal_measures
from tamis.analytics.steps.measures import COLUMN, Measure, Pairs
from tamis.analytics.steps.scopes import split_scope
from tamis.data.errors import ParameterError, RecipeError
from tamis.data.hashing import canonical_json
from tamis.data.nearest import did_you_mean

Scope = Literal["map", "by_key", "gather"]
Group = Literal[
    "Filter", "Selection", "Duplicates", "Sampling", "Relevance", "Budget", "Mixture", "Order", "Text", "Training"
]  # fmt: skip


class Evidence(Protocol):
    """What a set operator may read besides the columns of its documents."""

    def pairs(self, measure: Measure) -> Pairs:
        """Return measured pairs; rows are facts rows, see ``View.rows``."""

    def array(self, measure: Measure, name: str) -> NDArray[Any]:
        """Return a measured array, row-aligned with the facts table, or a small named array such as centroids."""

    def table(self, digest: str) -> pa.Table:
        """Return a stored table by the digest the recipe names."""


@dataclass(frozen=True)
class View:
    """The documents a set operator sees: those that no earlier step dropped, sorted by id.

    Attributes:
        rows: int64 (n,), ascending facts rows. Facts are sorted by id, so comparing rows compares ids.
        keys: uint64 (n,), ``hashing.key64`` of the ids, for keyed randomness.
        copies: int32 (n,), copies so far, all >= 1.
        table: the columns the operator asked for, (n,) rows.
        evidence: measured pairs and arrays.
    """

    rows: NDArray[np.int64]
    keys: NDArray[np.uint64]
    copies: NDArray[np.int32]
    table: pa.Table
    evidence: Evidence

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> pa.Array:
        """Return one column as a single Arrow array, (n,)."""
        return self.table.column(name).combine_chunks()

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a numeric column as float64 (n,), NULL as NaN, beyond 2^53 the nearest (never written back)."""
        column = self.column(name).cast(pa.float64(), safe=False)
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


@dataclass(frozen=True)
class Decision:
    """What a set operator decided for each document of its view.

    Attributes:
        copies: int32 (n,), 0 = dropped.
        value: the ledger's value per document, or None when the operator has no value.
        twin: int64 (n,), facts row of the kept twin of a dropped document, -1 where there is none.
        similarity: float32 (n,), similarity to the twin, NaN where there is none.
        position: int64 (n,), order of the kept documents, or None when the operator does not order.
        weight: float64 (n,), training weight, or None when the operator does not weigh.
        threshold: the threshold in the ledger: one text, or one per document, or None.
        resolved: numbers the operator derived from the documents, for the lock, for example percentile values.
    """

    copies: NDArray[np.int32]
    value: pa.Array | None = None
    twin: NDArray[np.int64] | None = None
    similarity: NDArray[np.float32] | None = None
    position: NDArray[np.int64] | None = None
    weight: NDArray[np.float64] | None = None
    threshold: str | pa.Array | None = None
    resolved: Mapping[str, Any] | None = None


class Operator(BaseModel):
    """Base of every rule: frozen; refuses unknown parameters; forms and documentation are generated from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=10_000)

    name: ClassVar[str]
    term: ClassVar[str]
    group: ClassVar[Group]
    scope: ClassVar[Scope]
    summary: ClassVar[str]
    source: ClassVar[str]
    warning: ClassVar[str | None] = None
    idempotent: ClassVar[bool] = True

    def columns(self) -> frozenset[str]:
        """Return the facts columns the operator reads (measured columns included)."""
        return frozenset()

    def measures(self) -> tuple[Measure, ...]:
        """Return the measures that must run first."""
        return ()

    def assets(self) -> tuple[str, ...]:
        """Return the digests of stored files the operator needs; an export copies them into the bundle."""
        return ()

    def sentence(self) -> str:
        """Return the rule as one plain English sentence without a full stop."""
        raise TypeError(f"{type(self).__name__} must say what it does")

    def caution(self) -> str:
        """Return what a person must know before trusting what the rule did, or nothing; a run says it."""
        return ""


class RowOperator(Operator):
    """A rule that decides each document from its own columns: one SQL predicate over the facts table."""

    scope: ClassVar[Scope] = "map"

    mode: Literal["keep", "drop"] = Field("keep", description="Keep only the matching documents, or drop them.")
    missing: Literal["keep", "drop"] = Field(
        "keep", description="What happens to documents where the value does not apply (NULL)."
    )

    def match(self) -> str:
        """Return the boolean SQL expression over facts columns that is true for matching documents; it may be NULL."""
        raise TypeError(f"{type(self).__name__} must define match()")

    def value(self) -> str | None:
        """Return the SQL expression of the value that the ledger shows, or None."""
        return None

    def threshold(self) -> str | None:
        """Return the threshold as the ledger shows it, or None."""
        return None

    def twins(self, rows: NDArray[np.int64], evidence: Evidence) -> pa.Array | None:
        """Return the names of what dropped documents matched outside the corpus, text (m,) for facts rows (m,)."""
        return None

    def keeps(self) -> str:
        """Return the SQL predicate, never NULL, that is true where this rule lets a document pass."""
        wanted = "TRUE" if self.missing == "keep" else "FALSE"
        matched = f"({self.match()})" if self.mode == "keep" else f"(NOT ({self.match()}))"
        return f"coalesce({matched}, {wanted})"


class SetOperator(Operator):
    """A rule that decides documents together: duplicates, samples, budgets, order."""

    def keys(self) -> tuple[str, ...]:
        """Return the columns whose groups must be seen whole; empty means all documents at once."""
        return ()

    def decide(self, view: View) -> Decision:
        """Decide every document of the view by a total order that ends in the document id.

        The result must not depend on anything but the set of documents: not on batches, threads or engine.
        """
        raise TypeError(f"{type(self).__name__} must define decide()")


class TextOperator(Operator):
    """A step that changes text when the curated files are written; it drops nothing and changes no id."""

    scope: ClassVar[Scope] = "map"
    group: ClassVar[Group] = "Text"

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        """Return the edited texts of one batch, large_string (n,), NULL stays NULL; a pure function of each text."""
        raise TypeError(f"{type(self).__name__} must define edit()")

    def with_tables(self, read: Callable[[str], pa.Table]) -> TextOperator:
        """Return the step with the stored tables that it names, ready to edit; itself where it names none."""
        return self


class TrainingOperator(Operator):
    """A step of the way from kept documents to batches; it drops nothing and decides no copies of a selection.

    A recipe has each such step at most once, in the order of ``turn``, after all other steps.
    """

    scope: ClassVar[Scope] = "gather"
    group: ClassVar[Group] = "Training"
    idempotent: ClassVar[bool] = False
    turn: ClassVar[int]


def measures_of(operator: Operator) -> tuple[Measure, ...]:
    """Return the measures of an operator, those of columns on a scope such as ``response.n_words`` among them."""
    own = operator.measures()
    made = {measure.column for measure in own}
    wanted = (measure for name in sorted(operator.columns() - made) for measure in scope_measures(name))
    return (*own, *wanted)


def scope_measures(name: str) -> tuple[Measure, ...]:
    """Return the measure of a column on a scope, none for any other column."""
    scope, column = split_scope(name)
    if not scope:
        return ()
    extra = signal_measures(column)
    found = extra[0] if extra else Measure(COLUMN, (("column", column),))
    return (replace(found, column=name, of=scope),)


@dataclass
class Registry:
    """Operators by name; refuses duplicates, lists the known names when one is unknown."""

    _operators: dict[str, type[Operator]] = field(default_factory=dict)

    def register(self, operator: type[Operator]) -> type[Operator]:
        """Add an operator class; usable as a decorator."""
        if operator.name in self._operators:
            raise RecipeError("Operator is registered twice", value=operator.name)
        self._operators[operator.name] = operator
        return operator

    def __getitem__(self, name: str) -> type[Operator]:
        if name not in self._operators:
            raise RecipeError(
                "Unknown operator", value=name, allowed=self._operators, fix=did_you_mean(name, self._operators)
            )
        return self._operators[name]

    def __iter__(self) -> Iterator[type[Operator]]:
        return iter(self._operators[name] for name in sorted(self._operators))

    def fresh(self, name: str, params: Mapping[str, Any]) -> Operator:
        """Return a validated operator for a new recipe: absent ``params`` get the defaults of new recipes.

        Raises:
            RecipeError: as ``build``.
        """
        return self.build(name, {**new_params(self[name], given=params), **params})

    def build(self, name: str, params: Mapping[str, Any]) -> Operator:
        """Return a validated operator.

        Raises:
            RecipeError: unknown operator or parameter, wrong type, out of bounds; the message names each one.
        """

        kind = self[name]
        try:
            return kind.model_validate_json(canonical_json(dict(params)), strict=True)
        except ValidationError as error:
            found = [
                (
                    ".".join(str(part) for part in item["loc"]),
                    item["msg"].removeprefix("Value error, "),
                    f"(got {item['input']!r:.80})",
                )
                for item in error.errors(include_url=False)
            ]
            faults = "; ".join(f"{place or name}: {message} {got}" for place, message, got in found)
            raise ParameterError(
                f"Operator {name} has wrong parameters: {faults}",
                faults={place.split(".")[0]: message for place, message, _ in reversed(found)},
                allowed=sorted(kind.model_fields),
            ) from None


def new_params(kind: type[Operator], given: Collection[str] = ()) -> dict[str, Any]:
    """Return the parameters that new recipes state; recipes without them keep their older meaning.

    Args:
        kind: the operator.
        given: parameters that are stated already; what stands instead of one of them is left out.
    """
    stated = ((name, info.json_schema_extra) for name, info in kind.model_fields.items())
    return {
        name: extra["new_recipes"]
        for name, extra in stated
        if isinstance(extra, dict) and "new_recipes" in extra and not {*_texts(extra.get("instead_of"))} & {*given}
    }


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


OPERATORS = Registry()


def _sorted_texts(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _sorted_numbers(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


def _language_codes(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({language_code(value) for value in values}))


def value_in(column: str, value: str) -> str:
    """Return a value as a category column holds it: a code for the detected language, else unchanged.

    Raises:
        ValueError: the detection has no such language.
    """
    return language_code(value) if column == "lang" and value else value


Scopes = Literal[
    "prompt", "response", "system", "user", "assistant", "thinking", "tool", "first_user", "last_assistant", "chosen",
    "rejected"
]  # fmt: skip
Of = Annotated[
    Scopes | None, Field(description="Look at these parts of conversations only; absent: at the whole text.")
]
"""A scope, see ``data.parts.SCOPES``."""


def spoken(scope: str) -> str:
    """Return a scope as words of a sentence."""
    return scope.replace("_", " ")


TextSet = Annotated[tuple[str, ...], AfterValidator(_sorted_texts)]
LanguageSet = Annotated[tuple[str, ...], AfterValidator(_language_codes)]
NumberSet = Annotated[tuple[int, ...], AfterValidator(_sorted_numbers)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
NumericColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "numeric column"})]
CategoryColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "category column"})]


def is_said(view: View, scope: str | None) -> NDArray[np.bool_]:
    """Return whether a document has any text in a scope, bool (n,): documents that say nothing are no duplicates."""
    return np.ones(len(view), dtype=np.bool_) if scope is None else view.numbers(f"{scope}.bytes") > 0


def last_if_absent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values to sort ascending, float64 (n,): NaN is infinity, and infinity the largest number before it."""
    return np.where(np.isnan(values), np.inf, np.minimum(values, np.finfo(np.float64).max))


def named_list(values: tuple[Any, ...], *, most: int = 4) -> str:
    """Return values for a sentence: the first few, then how many more."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
