"""Vocabularies of tiktoken: a file of pieces by rank, and the regular expression that parts texts.

The file does not name the expression, so the file's own name does: it begins with the name of an encoding, as in
``cl100k_base.tiktoken`` or ``cl100k_base-mine.tiktoken``. A bare name stands for the file in the library's cache, where
the library puts what it downloads; nothing is downloaded here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tamis.analytics.text.token_cuts import PATTERNS, RANK_PATTERNS
from tamis.data.errors import SettingError

SUFFIX = ".tiktoken"
ENCODINGS: Mapping[str, tuple[str, str]] = {
    "r50k_base": ("r50k_base", RANK_PATTERNS["gpt2"]),
    "p50k_base": ("p50k_base", RANK_PATTERNS["gpt2"]),
    "p50k_edit": ("p50k_base", RANK_PATTERNS["gpt2"]),
    "cl100k_base": ("cl100k_base", RANK_PATTERNS["cl100k"]),
    "o200k_base": ("o200k_base", PATTERNS["o200k"]),
    "o200k_harmony": ("o200k_base", PATTERNS["o200k"]),
}
"""By the name of an encoding: the name of its file, and its regular expression."""
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
"""Where the library takes files from; it names a file in its cache by the hash of that."""


def _cached(file: str) -> Path:
    """Return where the library caches the file of an encoding."""
    named = (os.environ.get(name) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"))
    folder = next((Path(one) for one in named if one), Path(tempfile.gettempdir()) / "data-gym-cache")
    return folder / hashlib.sha1(_SOURCE.format(file).encode()).hexdigest()


def rank_path(tokenizer: str) -> Path | None:
    """Return the file of an encoding by its name; None if there is no encoding of that name.

    Raises:
        SettingError: the file is not in the library's cache.
    """
    if tokenizer not in ENCODINGS:
        return None
    path = _cached(ENCODINGS[tokenizer][0])
    if not path.is_file():
        raise SettingError(
            "Encoding is not in the cache of tiktoken",
            value=tokenizer,
            allowed=f"an encoding whose file is {path}",
            fix=f"name a file of your own, {tokenizer}{SUFFIX}, or let tiktoken download it once",
        )
    return path


def encoding_of(path: Path) -> str | None:
    """Return the encoding whose regular expression belongs to a file, None if it is no such file.

    Raises:
        SettingError: the name of the file tells no encoding.
    """
    if path.suffix != SUFFIX:
        return next((name for name, (file, _) in ENCODINGS.items() if _cached(file) == path), None)
    found = next((name for name in ENCODINGS if path.name.startswith(name)), None)
    if found is None:
        raise SettingError(
            "The file does not tell how texts are parted",
            value=path.name,
            allowed=f"names that begin with {', '.join(ENCODINGS)}",
            fix=f"rename it to ENCODING-{path.name}",
        )
    return found


def rank_encoding(path: Path, name: str) -> Any:
    """Return the library's encoding of a file; it knows no special tokens.

    Raises:
        SettingError: the package is missing, or the file is damaged.
    """
    if find_spec("tiktoken") is None:
        raise SettingError("The tokenizer needs the package tiktoken", value=name, fix="pip install 'tamis[tiktoken]'")
    # Late: tiktoken, an optional library.
    import tiktoken

    ranks = _ranks(path)
    return tiktoken.Encoding(name, pat_str=ENCODINGS[name][1], mergeable_ranks=ranks, special_tokens={})


def _ranks(path: Path) -> dict[bytes, int]:
    """Return the pieces of a file with their ranks.

    The library's own function is not used: it remembers a file by its path and returns what the file held before.
    """
    try:
        rows = [line.split() for line in path.read_bytes().splitlines() if line]
        ranks = {base64.b64decode(piece, validate=True): int(rank) for piece, rank in rows}
    except (OSError, ValueError, binascii.Error) as error:
        raise SettingError(
            "Tokenizer cannot be read", value=str(path), fix="one piece in base64 and its rank a line"
        ) from error
    are_different = len(ranks) == len(set(ranks.values())) == len(rows)
    if not are_different or not all(bytes([byte]) in ranks for byte in range(256)):
        raise SettingError(
            "Tokenizer is not whole", value=str(path), fix="every byte and every rank once; fetch it again"
        )
    return ranks
