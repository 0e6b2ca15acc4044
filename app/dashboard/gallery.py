"""The gallery of documents in the browser: pictures in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tamis.app.dashboard.document_list import DocumentList, ListedDocument, list_component
from tamis.app.dashboard.picture_style import PAPER
from tamis.app.server.lost_picture import LOST_SCRIPT, LOST_STYLE

_mount = list_component(
    "gallery", place="tamis-gallery", style=f".tamis-gallery {{{PAPER}}} {LOST_STYLE}", script=LOST_SCRIPT
)


@dataclass(frozen=True)
class Tile(ListedDocument):
    """A document in the gallery.

    Attributes:
        name: what the picture shows, for people who do not see it.
        note: the line below.
        dropped: the step that drops it, empty for what is kept.
    """

    name: str
    note: str = ""
    dropped: str = ""


def gallery(shown: DocumentList, tiles: Sequence[Tile], *, pictures: str) -> None:
    """Show the gallery.

    Args:
        shown: the list.
        tiles: one page.
        pictures: prefix of the pictures' paths.
    """
    shown.show(_mount, tiles, on={}, pictures=pictures)
