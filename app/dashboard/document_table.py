"""The table of documents in the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from tamis.app.dashboard.document_list import DocumentList, ListedDocument, list_component

_mount = list_component("document_table", place="tamis-table")


@dataclass(frozen=True)
class TableColumn:
    """A column of the table.

    Attributes:
        name: what the table is ordered by when its header is pressed.
        title: in the header.
        kind: numbers stand at the right.
        sorts: whether the header is a button.
        order: how the table is ordered by it now, empty if it is not.
    """

    name: str
    title: str
    kind: Literal["text", "number", "word"] = "word"
    sorts: bool = True
    order: Literal["", "ascending", "descending"] = ""


@dataclass(frozen=True)
class TableRow(ListedDocument):
    """A document in the table.

    Attributes:
        cells: values of the columns after the first.
    """

    cells: tuple[str, ...]


def document_table(
    shown: DocumentList, columns: Sequence[TableColumn], rows: Sequence[TableRow], *, on_ordered: Callable[[], None]
) -> None:
    """Show the table.

    Args:
        shown: the list.
        columns: the first one holds the text.
        rows: one page.
        on_ordered: called when a header was pressed; ``ordered`` of the widget's state is the column's name.
    """
    shown.show(_mount, rows, on={"on_ordered_change": on_ordered}, columns=[asdict(column) for column in columns])
