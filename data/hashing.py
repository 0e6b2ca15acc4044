"""Digests and keyed hashes: the only source of identity and of randomness.

Nothing here depends on the process, the platform, ``PYTHONHASHSEED`` or the order of rows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.errors import RecipeError

U64 = np.uint64


def canonical_json(value: Any) -> bytes:
    """Return the canonical byte string of a value: sorted keys, no spaces, UTF-8, 3.0 written as 3.

    Raises:
        RecipeError: for NaN, infinities and types that JSON does not have.
    """
    return json.dumps(
        _canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


def _canonical(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RecipeError("Numbers must be finite", value=value, fix="remove the number or give a finite one")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        # Long lists of ids are common, and text needs no change.
        return value if all(type(item) is str for item in value) else [_canonical(item) for item in value]
    raise RecipeError(
        "Value has no canonical JSON form", value=value, allowed="text, numbers, true/false, null, lists, maps"
    )


def digest(value: Any) -> str:
    """Return the sha256 (64 hex digits) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def digest_of_texts(texts: pa.Array) -> str:
    """Return ``digest`` of the list of texts without creating Python strings.

    Args:
        texts: string or large_string (n,), no NULL.
    """
    opening, closing, nothing = (pa.scalar(part, pa.large_string()) for part in ('"', '",', ""))
    quoted = pc.binary_join_element_wise(opening, texts.cast(pa.large_string()), closing, nothing)
    # The data of a string array are contiguous: together they are the JSON list without its brackets.
    size = pc.sum(pc.binary_length(quoted)).as_py() or 0
    data = np.frombuffer(quoted.buffers()[2] or b"", dtype=np.uint8)[:size]
    if (data < ord(" ")).any() or (data == ord("\\")).any() or np.count_nonzero(data == ord('"')) > 2 * len(texts):
        return digest(texts.to_pylist())
    state = hashlib.sha256(b"[")
    state.update(data[:-1].data)
    state.update(b"]")
    return state.hexdigest()


def file_sha256(path: Path, *, chunk: int = 1 << 22) -> str:
    """Return the sha256 (64 hex digits) of a file's bytes, read in chunks."""
    state = hashlib.sha256()
    with path.open("rb") as stream:
        while data := stream.read(chunk):
            state.update(data)
    return state.hexdigest()


def hash128(data: bytes) -> str:
    """Return the 128-bit BLAKE2b hash of ``data`` as 32 hex digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def key64(ids: Iterable[str]) -> NDArray[np.uint64]:
    """Return one 64-bit key per document id, uint64 (n,): the first 8 bytes of its BLAKE2b hash, little endian."""
    joined = b"".join(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in ids)
    return np.frombuffer(joined, dtype="<u8").astype(U64)


def mix_keys(keys: NDArray[np.uint64], *, seed: int, salt: str) -> NDArray[np.uint64]:
    """Mix keys with a seed and the name of their purpose, uint64 (n,).

    The finaliser is splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
    """
    token = hashlib.blake2b(f"{salt}\x00{seed}".encode(), digest_size=8).digest()
    with np.errstate(over="ignore"):
        mixed = keys ^ np.frombuffer(token, dtype="<u8").astype(U64)[0]
        mixed = mixed + U64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> U64(30))) * U64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> U64(27))) * U64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> U64(31)), dtype=U64)


def uniform(keys: NDArray[np.uint64], *, seed: int, salt: str) -> NDArray[np.float64]:
    """Return one number in the open interval (0, 1) per key, float64 (n,), a pure function of (seed, salt, key)."""
    return ((mix_keys(keys, seed=seed, salt=salt) >> U64(11)).astype(np.float64) + 0.5) / 2.0**53
