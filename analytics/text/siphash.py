"""SipHash-2-4 with 128 bits of output over slices of a byte buffer, in compiled code.

Duplicates are found by comparing hashes. With a weak hash two different texts could
count as equal, so this hash has no known collision attack; it takes about a second per gigabyte. Source: Aumasson and
Bernstein 2012, "SipHash: a fast short-input PRF", with the 128-bit output of the authors' reference code.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
"""The key of the published test vectors, as two little-endian words. Hashes are stored, so the key never changes."""

_K0, _K1 = np.uint64(KEY[0]), np.uint64(KEY[1])
_S0, _S1 = np.uint64(0x736F6D6570736575), np.uint64(0x646F72616E646F6D)
_S2, _S3 = np.uint64(0x6C7967656E657261), np.uint64(0x7465646279746573)
_EE, _DD = np.uint64(0xEE), np.uint64(0xDD)
_8, _13, _16, _17, _21, _32, _64 = (np.uint64(shift) for shift in (8, 13, 16, 17, 21, 32, 64))
_56 = np.uint64(56)


@njit(cache=True, nogil=True, inline="always")
def _left(value, shift):  # type: ignore[no-untyped-def]
    return (value << shift) | (value >> (_64 - shift))


@njit(cache=True, nogil=True, inline="always")
def _round(a, b, c, d):  # type: ignore[no-untyped-def]
    a += b
    b = _left(b, _13) ^ a
    a = _left(a, _32)
    c += d
    d = _left(d, _16) ^ c
    a += d
    d = _left(d, _21) ^ a
    c += b
    b = _left(b, _17) ^ c
    c = _left(c, _32)
    return a, b, c, d


@njit(cache=True, nogil=True)
def hash_bytes(data, first, end):  # type: ignore[no-untyped-def]
    """Return the two uint64 words of the hash of ``data[first:end]`` (uint8)."""
    a, b, c, d = _K0 ^ _S0, _K1 ^ _S1 ^ _EE, _K0 ^ _S2, _K1 ^ _S3
    i = first
    while i + 8 <= end:
        word = np.uint64(0)
        for k in range(8):
            word |= np.uint64(data[i + k]) << np.uint64(8 * k)
        d ^= word
        a, b, c, d = _round(a, b, c, d)
        a, b, c, d = _round(a, b, c, d)
        a ^= word
        i += 8
    word = np.uint64((end - first) & 0xFF) << _56
    for k in range(end - i):
        word |= np.uint64(data[i + k]) << np.uint64(8 * k)
    d ^= word
    a, b, c, d = _round(a, b, c, d)
    a, b, c, d = _round(a, b, c, d)
    a ^= word
    c ^= _EE
    for _ in range(4):
        a, b, c, d = _round(a, b, c, d)
    low = a ^ b ^ c ^ d
    b ^= _DD
    for _ in range(4):
        a, b, c, d = _round(a, b, c, d)
    return low, a ^ b ^ c ^ d


@njit(cache=True, nogil=True)
def _hash_slices(data, offsets, out):  # type: ignore[no-untyped-def]
    for n in range(len(offsets) - 1):
        out[n, 0], out[n, 1] = hash_bytes(data, offsets[n], offsets[n + 1])


def hash_slices(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the hash of every slice ``data[offsets[k]:offsets[k + 1]]``, uint64 (n, 2)."""
    hashes = np.empty((len(offsets) - 1, 2), dtype=np.uint64)
    _hash_slices(data, offsets, hashes)
    return hashes
