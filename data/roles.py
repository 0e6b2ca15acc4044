"""What the columns of a corpus mean: text, id, source, language, label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields

import pyarrow as pa

from tamis.data.errors import RoleError
from tamis.data.repair import is_text
from tamis.data.schema import paths

_TEXT = ("text", "content", "body", "document", "raw_content", "raw_text", "sentence", "passage", "message", "article",
         "abstract", "description", "comment", "review", "question", "prompt", "instruction", "output")  # fmt: skip
_ID = ("id", "doc_id", "docid", "document_id", "_id", "uid", "uuid", "guid", "key", "identifier")
_SOURCE = ("source", "origin", "dataset", "data_source", "subset", "domain", "site", "collection", "distribution")
_LANGUAGE = ("language", "lang", "lang_code", "language_code", "locale", "bcp47")
_LABEL = ("label", "category", "class", "topic", "section", "kind", "intent")


@dataclass(frozen=True)
class Roles:
    """Columns by meaning; a dotted path names a field inside a struct.

    Attributes:
        text: what is curated; text.
        id: document id; text or integer, used when unique and never NULL.
        source: where a document comes from.
        language: language the corpus claims.
        label: class or topic the corpus claims.
    """

    text: str
    id: str | None = None
    source: str | None = None
    language: str | None = None
    label: str | None = None

    def known(self) -> dict[str, str]:
        """Return the roles that have a column, by role."""
        return {role: path for role, path in asdict(self).items() if path is not None}


ROLES = tuple(field.name for field in fields(Roles))


def find_roles(
    schema: pa.Schema, chosen: Mapping[str, str] | None = None, *, lengths: Callable[[], Mapping[str, float]]
) -> Roles:
    """Return the roles chosen by hand, the others detected by name and type.

    Args:
        schema: union schema of the corpus.
        chosen: path by role; an empty path says that no column has the role.
        lengths: gives the mean length in bytes of sampled values of text columns, by path; asked when no name decides.

    Raises:
        RoleError: unknown role or column, wrong type, or no column can be the text.
    """
    known = paths(schema)
    picked: dict[str, str | None] = {}
    for role, path in (chosen or {}).items():
        if role not in ROLES:
            raise RoleError("Unknown column role", value=role, allowed=ROLES)
        picked[role] = _checked(role, path, known) if path else None
    text = picked.get("text") or _detect(_TEXT, known, "text", taken=set()) or _longest(known, lengths)
    if text is None:
        texts = [path for path, kind in known.items() if is_text(kind)]
        raise RoleError(
            "No column can be recognised as the text",
            value=sorted(known),
            allowed=texts or "a column of text",
            fix="name it with --text COLUMN, or with roles={'text': COLUMN}",
        )
    taken = {text} | {path for path in picked.values() if path}
    found: dict[str, str | None] = {}
    for role, names in (("id", _ID), ("source", _SOURCE), ("language", _LANGUAGE), ("label", _LABEL)):
        found[role] = picked[role] if role in picked else _detect(names, known, role, taken=taken)
        taken |= {path for path in (found[role],) if path}
    return Roles(text=text, **found)


def _checked(role: str, path: str, known: Mapping[str, pa.DataType]) -> str:
    if path not in known:
        raise RoleError(f"The corpus has no such column for the role {role}", value=path, allowed=known)
    if not _fits(role, known[path]):
        wanted = "text" if role == "text" else "text, integers or true/false"
        raise RoleError(f"Column {path} cannot be the {role}", value=str(known[path]), allowed=wanted)
    return path


def _fits(role: str, kind: pa.DataType) -> bool:
    if role == "text" or is_text(kind):
        return is_text(kind)
    return bool(pa.types.is_integer(kind) or (pa.types.is_boolean(kind) and role != "id"))


def _detect(names: tuple[str, ...], known: Mapping[str, pa.DataType], role: str, *, taken: set[str]) -> str | None:
    """Return the first fitting column by the order of ``names``, top level before nested, then by path."""
    for name in names:
        for depth in (0, 1, 2):
            for path in sorted(known):
                last = path.rsplit(".", 1)[-1].lower()
                if path not in taken and last == name and path.count(".") == depth and _fits(role, known[path]):
                    return path
    return None


def _longest(known: Mapping[str, pa.DataType], lengths: Callable[[], Mapping[str, float]]) -> str | None:
    """Return the only text column, or the one whose values are at least three times as long as any other's."""
    texts = [path for path, kind in known.items() if is_text(kind)]
    if len(texts) < 2:
        return texts[0] if texts else None
    known_lengths = lengths()
    first, second = sorted(texts, key=lambda path: (-known_lengths.get(path, 0.0), path))[:2]
    return first if known_lengths.get(first, 0.0) >= 3.0 * max(known_lengths.get(second, 0.0), 1.0) else None
