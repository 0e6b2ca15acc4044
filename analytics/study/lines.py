"""Documents in one line of plain text, for lists."""

from __future__ import annotations

from tamis.analytics.study.readings import Reading

_CAPTION = 2_000
"""Characters of a caption that are looked at."""


def name_of(document: Reading) -> str:
    """Return what a picture shows in words: its caption, else the name of its file, else its id."""
    assert document.picture is not None
    return " ".join(document.text[:_CAPTION].split())[:300] or document.picture.name or document.picture.id


def line(document: Reading, *, length: int) -> str:
    """Return the beginning of a document in one line of plain text, with the words for who speaks."""
    if document.picture is not None:
        return name_of(document)[:length]
    if not document.parts:
        return " ".join(document.text[: 4 * length].split())[:length]
    found = [document.parts[at] for at in document.gist()]
    each = max(length // max(len(found), 1), 20)
    said = [(part.title, " ".join(part.text[: 4 * each].split())) for part in found]
    return "  ".join(f"{title}: {text[:each]}{'…' * (len(text) > each)}" for title, text in said)


def line_with_file(document: Reading, *, length: int) -> str:
    """Return what ``line`` does, after the name of the file where the document is a picture in one of its own."""
    said = line(document, length=length)
    file = document.picture.name if document.picture is not None else ""
    return f"{file}: {said}" if file and document.text.strip() else said
