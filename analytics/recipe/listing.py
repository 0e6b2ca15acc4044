"""Small tables for people: aligned text in a terminal, HTML in a notebook, Arrow and pandas for further work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import pyarrow as pa

LONGEST = 100
"""Characters of a cell that are shown; ``to_arrow`` and ``to_pandas`` hold all of them."""

_CONTROLS = dict.fromkeys([*range(32), *range(127, 160)], " ")


class Share(float):
    """A share in [0, 1], shown in percent."""


@dataclass(frozen=True, repr=False)
class Listing:
    """Rows for people to read. Cells may hold text of the corpus, so every cell is escaped.

    Attributes:
        title: one line above the rows.
        columns: their names.
        rows: one tuple per row, as long as ``columns``; texts, numbers, true or false, None.

    Example:
        >>> ta.Listing("Two files", ("name", "rows"), (("a.parquet", 1200), ("b.parquet", 30)))
        Two files
        name        rows
        a.parquet  1,200
        b.parquet     30
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        lines = [[_shown(value) for value in row] for row in (self.columns, *self.rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(self.columns))]
        right = self._numeric()
        padded = (
            "  ".join(cell.rjust(width) if end else cell.ljust(width)
                      for cell, width, end in zip(line, widths, right, strict=True)).rstrip()
            for line in lines
        )  # fmt: skip
        return "\n".join([_shown(self.title), *padded])

    def _repr_html_(self) -> str:
        """Return the rows as HTML in which a notebook typesets no formulas."""
        sides = ["right" if end else "left" for end in self._numeric()]
        lines = [("th", self.columns), *(("td", row) for row in self.rows)]
        body = "".join(
            "<tr>"
            + "".join(
                f'<{tag} style="text-align: {side}">{escape(_shown(cell))}</{tag}>'
                for cell, side in zip(line, sides, strict=True)
            )
            + "</tr>"
            for tag, line in lines
        )
        caption = f"<p><b>{escape(_shown(self.title))}</b></p>"
        return f'<div class="tamis mathjax_ignore tex2jax_ignore">{caption}<table>{body}</table></div>'

    def to_arrow(self) -> pa.Table:
        """Return the rows as an Arrow table.

        Example:
            >>> ta.Listing("Files", ("name", "rows"), (("a.parquet", 1200),)).to_arrow().to_pylist()
            [{'name': 'a.parquet', 'rows': 1200}]
        """
        return pa.table({name: pa.array([row[k] for row in self.rows]) for k, name in enumerate(self.columns)})

    def to_pandas(self) -> Any:
        """Return the rows as a pandas DataFrame.

        Example:
            >>> ta.Listing("Files", ("name", "rows"), (("a.parquet", 1200),)).to_pandas()
                    name  rows
            0  a.parquet  1200
        """
        return self.to_arrow().to_pandas()

    def _numeric(self) -> list[bool]:
        """Say for each column whether it is right-aligned: columns of numbers are."""
        return [all(_is_number(row[k]) for row in self.rows) for k in range(len(self.columns))]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _shown(value: Any) -> str:
    """Return a cell as one short line without control characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Share):
        return f"{value:.1%}"
    if isinstance(value, (int, float)):
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    text = " ".join(str(value).translate(_CONTROLS).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
