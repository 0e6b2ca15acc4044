"""Predicates that people type: one boolean SQL expression, parsed, checked against an allow-list and rebuilt.

Nothing of the typed text reaches the database: every part of the statement is written anew from the parsed tree.
Arithmetic is done in DOUBLE, never raises, and gives NULL where it has no finite value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tamis.analytics.predicate_rules import MAX_DEPTH, Writer, shown
from tamis.analytics.sql_number import check_regex, first_line, number
from tamis.data.errors import PredicateError

__all__ = ["Predicate", "check_regex", "number", "parse_predicate"]

MAX_LENGTH = 4_000
MAX_TOKENS = 600


BOOLEAN: tuple[type[exp.Expression], ...] = (
    exp.And,
    exp.Or,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Is,
    exp.In,
    exp.Between,
    exp.Like,
    exp.ILike,
    exp.RegexpLike,
    exp.StartsWith,
    exp.EndsWith,
    exp.Contains,
    exp.Boolean,
)


@dataclass(frozen=True)
class Predicate:
    """A checked predicate.

    Attributes:
        text: what was typed.
        sql: the rebuilt boolean expression over facts columns.
        columns: the columns it names, sorted.
    """

    text: str
    sql: str
    columns: tuple[str, ...]


@lru_cache(maxsize=512)
def parse_predicate(text: str) -> Predicate:
    """Return the checked predicate.

    Raises:
        PredicateError: not one boolean expression of allowed parts; the message shows the offending part.
    """
    if not text.strip():
        raise PredicateError("Predicate is empty", fix="write a condition such as n_words > 100")
    if len(text) > MAX_LENGTH or "\x00" in text:
        raise PredicateError("Predicate is too long or holds a NUL", value=text, allowed=f"{MAX_LENGTH} characters")
    try:
        if len(sqlglot.tokenize(text, read="duckdb")) > MAX_TOKENS:
            raise PredicateError("Predicate has too many parts", value=text, allowed=f"up to {MAX_TOKENS}")
        statements = sqlglot.parse(text, read="duckdb")
    except SqlglotError as error:
        raise PredicateError("Predicate cannot be parsed", value=first_line(error)) from None
    except RecursionError:
        raise PredicateError("Predicate is nested too deeply", allowed=f"up to {MAX_DEPTH} levels") from None
    if len(statements) != 1 or statements[0] is None:
        raise PredicateError("Only one expression is allowed", value=text, fix="remove the semicolon")
    tree = statements[0]
    if not isinstance(tree, exp.Expression):
        raise PredicateError("Not allowed in a predicate", value=text)
    if not isinstance(_bare(tree), (*BOOLEAN, exp.Column)):
        raise PredicateError("Predicate must be a condition", value=shown(tree), fix="compare it with something")
    writer = Writer()
    sql = writer.write(tree)
    return Predicate(text=text, sql=sql, columns=tuple(sorted(writer.columns)))


def _bare(node: exp.Expression) -> exp.Expression:
    while isinstance(node, exp.Paren) and isinstance(node.this, exp.Expression):
        node = node.this
    return node
