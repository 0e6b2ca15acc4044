"""One colour for each role of a turn, readable on both grounds."""

from __future__ import annotations

ROLE_COLOURS = {
    "system": ("#545b66", "#a7b0bb"), "user": ("#1c5ca3", "#82b4ef"), "assistant": ("#0f6b63", "#4fc3b5"),
    "tool": ("#6a46a8", "#b9a0f2"), "chosen": ("#2c6a24", "#8ccb78"), "rejected": ("#a1285c", "#f08fb6"),
    "context": ("#76510f", "#d8ad63"), "answer": ("#5a5f0a", "#c2c85e"), "other": ("#585c60", "#b0b5b9"),
}  # fmt: skip
"""Colour of each role's word and edge, on light and on dark ground."""


def role_rules() -> str:
    """Return CSS rules that set the variable ``--role`` of turns to the colour of their role."""
    return "\n".join(
        f".tamis-turn.{role}, .tamis-said.{role} {{--role: light-dark({light}, {dark});}}"
        for role, (light, dark) in ROLE_COLOURS.items()
    )
