"""The table of sources and licences, as Markdown and as rows."""

from __future__ import annotations

from tamis.analytics.effect.dataset_card import table
from tamis.analytics.handover.figures import DataMakeup, ValueShare
from tamis.analytics.operators.operator import named_list

MOST_ROWS = 200
"""Values that a table names; the others are summed in a last row."""

NONE_STATED = "not stated by the corpus"
HEADS = ("source", "documents", "times in training", "bytes", "share of bytes", "licences")


def source_table(composition: DataMakeup) -> str:
    """Return the sources with their licences as a Markdown table."""
    shares = composition.sources or (
        ValueShare("all documents", composition.documents, composition.times, composition.bytes),
    )
    return table(HEADS, [_row(share, composition) for share in shortened(shares)])


def licence_table(composition: DataMakeup) -> str:
    """Return the licences that documents state, as a Markdown table."""
    rows: list[tuple[object, ...]] = [
        (share.value, share.documents, share.times, share.bytes, percent(share.bytes, composition.bytes))
        for share in shortened(composition.licences or ())
    ]
    return table(("licence", *HEADS[1:-1]), rows)


def shortened(shares: tuple[ValueShare, ...], most: int = MOST_ROWS) -> tuple[ValueShare, ...]:
    """Return the first shares and the sum of the others."""
    if len(shares) <= most:
        return shares
    rest = shares[most:]
    whole = (sum(share.documents for share in rest), sum(share.times for share in rest), sum(s.bytes for s in rest))
    return (*shares[:most], ValueShare(f"{len(rest):,} others", *whole))


def percent(part: int, whole: int) -> str:
    """Return a share in percent with one digit, two where it is below one."""
    share = 100 * part / max(whole, 1)
    return f"{share:.2f}%" if 0 < share < 1 else f"{share:.1f}%"


def _row(share: ValueShare, composition: DataMakeup) -> tuple[object, ...]:
    licences = ", ".join(share.licences[:8]) + (
        f" and {len(share.licences) - 8} more" if len(share.licences) > 8 else ""
    )
    if composition.sources is None and composition.licences is not None:
        licences = named_list(tuple(each.value for each in composition.licences), most=8)
    return (
        share.value, share.documents, share.times, share.bytes, percent(share.bytes, composition.bytes),
        licences or NONE_STATED,
    )  # fmt: skip
