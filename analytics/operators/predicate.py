"""Typed predicates: one boolean SQL expression, parsed, checked against an allow-list and rebuilt.

No typed text reaches the database: every part of the statement is rebuilt from the parsed tree.
Arithmetic is done in DOUBLE, never raises, and gives NULL where it has no finite value.

The allow-list of predicates: which parts of a parsed expression are allowed, and the SQL that each is rebuilt as.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tamis.analytics.operators.patterns import check_regex, first_line
from tamis.analytics.steps.scopes import split_scope
from tamis.data.errors import PredicateError, RecipeError
from tamis.data.parts import SCOPES
from tamis.data.sql import ident, literal

__all__ = ["Predicate", "number", "parse_predicate"]


def number(value: float) -> str:
    """Return a number as SQL that compares exactly with FLOAT, DOUBLE and integer columns alike.

    A short decimal is written as DECIMAL, which takes the precision of the column it meets: a FLOAT holding 0.1 equals
    0.1. A number of more digits is a DOUBLE, which equals the very FLOAT it was read from.
    """
    if isinstance(value, int):
        return f"({int(value)})"
    if not math.isfinite(value):
        raise RecipeError("Numbers must be finite", value=value)
    if value.is_integer() and abs(value) < 2**53:
        return f"({int(value)})"
    decimal = Decimal(repr(value))
    if len(decimal.as_tuple().digits) <= 7 and 1e-9 < abs(value) < 1e9:
        return f"({decimal:f})"
    return literal(value)


MAX_DEPTH = 40
MAX_WILDCARDS = 6

INFIX: dict[type[exp.Expression], str] = {
    exp.And: "AND",
    exp.Or: "OR",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}
ARITHMETIC: dict[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
ONE_TEXT: dict[type[exp.Expression], str] = {exp.Length: "length", exp.Lower: "lower", exp.Upper: "upper"}
TWO_TEXT: dict[type[exp.Expression], str] = {
    exp.StartsWith: "starts_with",
    exp.EndsWith: "ends_with",
    exp.Contains: "contains",
}
ONE_NUMBER: dict[type[exp.Expression], str] = {exp.Abs: "abs", exp.Ceil: "ceil", exp.Floor: "floor"}
MANY: dict[type[exp.Expression], str] = {exp.Coalesce: "coalesce", exp.Greatest: "greatest", exp.Least: "least"}
CASTS = {"DOUBLE": "DOUBLE", "FLOAT": "FLOAT", "INT": "INTEGER", "BIGINT": "BIGINT", "TEXT": "VARCHAR"}
FUNCTIONS = (
    "abs, ceil, floor, round, sqrt, ln, greatest, least, coalesce, nullif, length, lower, upper, starts_with, "
    "ends_with, contains, regexp_matches, if, case, cast to a number or text"
)
IGNORED_ARGS = frozenset({"ignore_nulls", "safe", "typed"})


def shown(node: exp.Expression) -> str:
    """Return a part of an expression as text for a message."""
    return node.sql(dialect="duckdb", comments=False)[:200]


class Writer:
    """Writes an allowed tree as SQL and collects the columns it names."""

    def __init__(self) -> None:
        self.columns: set[str] = set()
        self._depth = 0

    def write(self, node: exp.Expression) -> str:
        """Return the SQL of a node, or refuse it."""
        rule = RULES.get(type(node))
        if rule is None:
            raise PredicateError(
                "Not allowed in a predicate",
                value=shown(node),
                allowed=f"comparisons, and/or/not, in, between, like, is null, + - * / % and {FUNCTIONS}",
            )
        handled, build = rule
        extra = [name for name, value in node.args.items() if value and name not in handled]
        if extra:
            raise PredicateError(f"Not allowed in a predicate ({extra[0]})", value=shown(node))
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PredicateError("Predicate is nested too deeply", allowed=f"up to {MAX_DEPTH} levels")
        sql = build(self, node)
        self._depth -= 1
        return sql

    def arg(self, node: exp.Expression, name: str) -> str:
        """Return the SQL of one argument."""
        value = node.args.get(name)
        if not isinstance(value, exp.Expression):
            raise PredicateError("Part of the predicate is missing", value=shown(node))
        return self.write(value)

    def args(self, node: exp.Expression, name: str) -> list[str]:
        """Return the SQL of a list of arguments."""
        return [self.write(value) for value in node.args.get(name) or []]


def _text_of(node: exp.Expression, name: str) -> str:
    """Return an argument that must be a string literal."""
    value = node.args.get(name)
    if not isinstance(value, exp.Literal) or not value.is_string:
        raise PredicateError("A pattern must be text in quotes", value=shown(node))
    return str(value.this)


def _column(writer: Writer, node: exp.Expression) -> str:
    identifier = node.this
    if not isinstance(identifier, exp.Identifier):
        raise PredicateError("Not allowed in a predicate", value=shown(node), allowed="names of facts columns")
    scope = node.args.get("table")
    name = str(identifier.this) if scope is None else f"{scope.name}.{identifier.this}"
    if scope is not None and not split_scope(name)[0]:
        raise PredicateError("Not allowed in a predicate (table)", value=shown(node), allowed=SCOPES[1:])
    writer.columns.add(name)
    return ident(name)


def _literal(writer: Writer, node: exp.Expression) -> str:
    if node.args.get("is_string"):
        return literal(str(node.this))
    return _number_text(str(node.this))


def _number_text(text: str) -> str:
    try:
        return number(int(text) if text.lstrip("-").isdigit() else float(text))
    except (ValueError, RecipeError):
        raise PredicateError("Not a finite number", value=text) from None


def _infix(writer: Writer, node: exp.Expression) -> str:
    return f"({writer.arg(node, 'this')} {INFIX[type(node)]} {writer.arg(node, 'expression')})"


def _arithmetic(writer: Writer, node: exp.Expression) -> str:
    left = f"CAST({writer.arg(node, 'this')} AS DOUBLE)"
    right = f"CAST({writer.arg(node, 'expression')} AS DOUBLE)"
    if isinstance(node, (exp.Div, exp.Mod)):
        right = f"nullif({right}, 0)"
    return _finite(f"({left} {ARITHMETIC[type(node)]} {right})")


def _finite(sql: str) -> str:
    return f"nullif(nullif({sql}, 'infinity'::DOUBLE), '-infinity'::DOUBLE)"


def _negative(writer: Writer, node: exp.Expression) -> str:
    if isinstance(node.this, exp.Literal) and not node.this.is_string:
        return _number_text(f"-{node.this.this}")
    return f"(- CAST({writer.arg(node, 'this')} AS DOUBLE))"


def _is(writer: Writer, node: exp.Expression) -> str:
    wanted = node.expression
    if not isinstance(wanted, (exp.Null, exp.Boolean)):
        raise PredicateError("IS takes NULL, TRUE or FALSE", value=shown(node))
    return f"({writer.arg(node, 'this')} IS {writer.write(wanted)})"


def _in(writer: Writer, node: exp.Expression) -> str:
    listed = writer.args(node, "expressions")
    if not listed:
        raise PredicateError("IN takes a list of values", value=shown(node))
    return f"({writer.arg(node, 'this')} IN ({', '.join(listed)}))"


def _between(writer: Writer, node: exp.Expression) -> str:
    return f"({writer.arg(node, 'this')} BETWEEN {writer.arg(node, 'low')} AND {writer.arg(node, 'high')})"


def _like(writer: Writer, node: exp.Expression) -> str:
    pattern = _text_of(node, "expression")
    if pattern.count("%") > MAX_WILDCARDS:
        raise PredicateError("Pattern has too many %", value=pattern, allowed=f"up to {MAX_WILDCARDS}")
    keyword = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
    negated = "NOT " if node.args.get("negate") else ""
    return f"({writer.arg(node, 'this')} {negated}{keyword} {literal(pattern)})"


def _regexp(writer: Writer, node: exp.Expression) -> str:
    pattern = check_regex(_text_of(node, "expression"))
    return f"regexp_matches({writer.arg(node, 'this')}, {literal(pattern)})"


def _two_text(writer: Writer, node: exp.Expression) -> str:
    return f"{TWO_TEXT[type(node)]}({writer.arg(node, 'this')}, {literal(_text_of(node, 'expression'))})"


def _many(writer: Writer, node: exp.Expression) -> str:
    parts = [writer.arg(node, "this"), *writer.args(node, "expressions")]
    return f"{MANY[type(node)]}({', '.join(parts)})"


def _round(writer: Writer, node: exp.Expression) -> str:
    digits = node.args.get("decimals")
    if digits is not None and not (isinstance(digits, exp.Literal) and str(digits.this) in "0123456789"):
        raise PredicateError("round takes 0 to 9 digits", value=shown(node))
    return f"round(CAST({writer.arg(node, 'this')} AS DOUBLE), {int(str(digits.this)) if digits else 0})"


def _sqrt(writer: Writer, node: exp.Expression) -> str:
    return f"sqrt(greatest(CAST({writer.arg(node, 'this')} AS DOUBLE), 0))"


def _ln(writer: Writer, node: exp.Expression) -> str:
    return f"ln(nullif(greatest(CAST({writer.arg(node, 'this')} AS DOUBLE), 0), 0))"


def _nullif(writer: Writer, node: exp.Expression) -> str:
    return f"nullif({writer.arg(node, 'this')}, {writer.arg(node, 'expression')})"


def _case(writer: Writer, node: exp.Expression) -> str:
    branches = [f"WHEN {writer.arg(branch, 'this')} THEN {writer.arg(branch, 'true')}" for branch in node.args["ifs"]]
    last = f" ELSE {writer.arg(node, 'default')}" if node.args.get("default") else ""
    return f"(CASE {' '.join(branches)}{last} END)"


def _if(writer: Writer, node: exp.Expression) -> str:
    last = f" ELSE {writer.arg(node, 'false')}" if node.args.get("false") else ""
    return f"(CASE WHEN {writer.arg(node, 'this')} THEN {writer.arg(node, 'true')}{last} END)"


def _cast(writer: Writer, node: exp.Expression) -> str:
    wanted = node.args["to"]
    name = wanted.this.name if isinstance(wanted, exp.DataType) else ""
    if name not in CASTS or wanted.expressions:
        raise PredicateError("Cast is not allowed", value=shown(node), allowed=CASTS.values())
    return f"TRY_CAST({writer.arg(node, 'this')} AS {CASTS[name]})"


Build = Callable[[Writer, exp.Expression], str]
Rule = tuple[frozenset[str], Build]


def _rule(args: str, build: Build) -> Rule:
    return frozenset(args.split()) | IGNORED_ARGS, build


RULES: dict[type[exp.Expression], Rule] = {
    exp.Column: (frozenset({"this", "table"}), _column),
    exp.Literal: _rule("this is_string", _literal),
    exp.Boolean: _rule("this", lambda writer, node: literal(bool(node.this))),
    exp.Null: _rule("", lambda writer, node: "NULL"),
    exp.Paren: _rule("this", lambda writer, node: f"({writer.arg(node, 'this')})"),
    exp.Not: _rule("this", lambda writer, node: f"(NOT {writer.arg(node, 'this')})"),
    exp.Neg: _rule("this", _negative),
    exp.Is: _rule("this expression", _is),
    exp.In: _rule("this expressions", _in),
    exp.Between: _rule("this low high", _between),
    exp.Like: _rule("this expression negate", _like),
    exp.ILike: _rule("this expression negate", _like),
    exp.RegexpLike: _rule("this expression", _regexp),
    exp.Round: _rule("this decimals", _round),
    exp.Sqrt: _rule("this", _sqrt),
    exp.Ln: _rule("this", _ln),
    exp.Nullif: _rule("this expression", _nullif),
    exp.Case: _rule("ifs default", _case),
    exp.If: _rule("this true false", _if),
    exp.Cast: _rule("this to", _cast),
    exp.TryCast: _rule("this to", _cast),
    **{kind: _rule("this expression", _infix) for kind in INFIX},
    **{kind: _rule("this expression", _arithmetic) for kind in ARITHMETIC},
    **{kind: _rule("this expression", _two_text) for kind in TWO_TEXT},
    **{kind: _rule("this expressions", _many) for kind in MANY},
    **{
        kind: _rule("this", lambda writer, node: f"{ONE_TEXT[type(node)]}({writer.arg(node, 'this')})")
        for kind in ONE_TEXT
    },
    **{
        kind: _rule(
            "this", lambda writer, node: f"{ONE_NUMBER[type(node)]}(CAST({writer.arg(node, 'this')} AS DOUBLE))"
        )
        for kind in ONE_NUMBER
    },
}


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
