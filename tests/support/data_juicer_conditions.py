"""What data-juicer's ``general_field_filter`` answers, without data-juicer."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Any

_SIGNS = {ast.Gt: gt, ast.GtE: ge, ast.Lt: lt, ast.LtE: le, ast.Eq: eq, ast.NotEq: ne}


def passes_condition(condition: str, row: Mapping[str, Any]) -> bool:
    """Answer a condition as data-juicer does: a comparison with an absent value is false."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.BoolOp):
            answers = [value(part) for part in node.values]
            return all(answers) if isinstance(node.op, ast.And) else any(answers)
        if isinstance(node, ast.Compare):
            left, right = value(node.left), value(node.comparators[0])
            return left is not None and right is not None and bool(_SIGNS[type(node.ops[0])](left, right))
        if isinstance(node, ast.Name):
            return row.get(node.id)
        assert isinstance(node, ast.Constant), ast.dump(node)
        return node.value

    return bool(value(ast.parse(condition, mode="eval").body))
