"""Signals written as a table: one line each, so that a list of them can be read."""

from __future__ import annotations

from dataclasses import replace

from tamis.analytics.conventions import Convention
from tamis.analytics.signal import Signal

UNSPACED_NULL = "NULL for texts in scripts without spaces."


def signal_table(text: str, *, group: str, convention: str, source: str, step: str = "signals") -> tuple[Signal, ...]:
    """Return the signals of a table.

    Args:
        text: one line per signal: ``name | kind | title | help``. A kind is ``share`` (0 to 1), ``flag`` (0 or 1),
            ``count UNIT`` (whole numbers), ``mean UNIT`` or ``ratio`` (numbers from 0), ``number UNIT`` (any number).
        group, convention, source, step: what all of them share.
    """
    return tuple(_signal(line, group, convention, source, step) for line in text.strip().splitlines())


def _signal(line: str, group: str, convention: str, source: str, step: str) -> Signal:
    name, kind, title, help_ = (part.strip() for part in line.split("|", 3))
    form, _, unit = kind.partition(" ")
    if form not in ("share", "flag", "count", "mean", "ratio", "number"):
        raise ValueError(f"signal {name} has an unknown kind: {kind}")
    return Signal(
        name=name,
        title=title,
        help=help_,
        unit=unit or form,
        convention=convention,
        source=source,
        dtype="int32" if form in ("count", "flag") else "float32",
        low=None if form == "number" else 0.0,
        high=1.0 if form in ("share", "flag") else None,
        group=group,
        step=step,
    )


def by_words(signals: tuple[Signal, ...], by: Convention) -> tuple[Signal, ...]:
    """Return the signals as they are called and described when words are split by a convention."""
    return tuple(
        replace(
            signal,
            name=by.prefix + signal.name,
            title=f"{signal.title} ({by.title})" if by.prefix else signal.title,
            help=f"{signal.help} {UNSPACED_NULL}" if by.spaced_only else signal.help,
            convention=by.name,
            package=by.package,
        )
        for signal in signals
    )
