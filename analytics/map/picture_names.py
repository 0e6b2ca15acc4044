"""The words that clusters of pictures are named by: captions, where there is none labels, else the names of files."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.corpus import Corpus
from tamis.data.repair import is_text
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard

_PATH_PARTS = r"^.*[/\\]|\.[A-Za-z0-9]+$"
_NO_LETTERS = r"[^\p{L}\p{M}]+"


def naming_texts(corpus: Corpus, shard: Shard, *, max_rows: int) -> Iterator[pa.Array]:
    """Yield the texts of the documents of a shard that name clusters, large_string, aligned with an artifact's part."""
    if corpus.shape.kind != PICTURE:
        yield from corpus.document_texts(shard, max_rows=max_rows)
        return
    path = _path_column(corpus)
    columns = [name for name in (corpus.roles.label, path) if name]
    for parts, further in corpus.document_parts(shard, columns=columns, max_rows=max_rows):
        found = corpus.shape.join(parts)
        for at, column in enumerate(columns):
            told = further.column(at).cast(pa.large_string())
            told = file_words(told) if column == path else told
            found = pc.if_else(pc.equal(pc.utf8_trim_whitespace(found), ""), pc.fill_null(told, ""), found)
        yield found


def file_words(paths: pa.Array) -> pa.Array:
    """Return the words in the names of files: without folders, ending, digits and signs."""
    names = pc.replace_substring_regex(paths, _PATH_PARTS, "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(names, _NO_LETTERS, " "))


def _path_column(corpus: Corpus) -> str | None:
    """Return the column with the paths of the pictures, None if only their bytes are known."""
    column = corpus.shape.columns[PICTURE]
    for path in (column, f"{column}.path"):
        kind = type_at(corpus.schema, path)
        if kind is not None and is_text(kind):
            return path
    return None
