"""Perceptual hashes equal the published formulas, and do not depend on how the pixels lie in memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.fft import dctn

from tamis.analytics.signals.image_hashes import colour_means, hashes, inner_part

SIZES = st.tuples(st.integers(1, 90), st.integers(1, 90))


def shares(pixels: int, cells: int) -> NDArray[np.float64]:
    """Return the share of each pixel in the mean of each cell, float64 (cells, pixels)."""
    edge = np.arange(cells + 1) * pixels / cells
    at = np.arange(pixels)
    over = np.minimum(edge[1:, None], at + 1) - np.maximum(edge[:-1, None], at)
    return np.clip(over, 0, None) * cells / pixels


def means(grey: NDArray[np.uint8], high: int, wide: int) -> NDArray[np.float64]:
    height, width = grey.shape
    return shares(height, high) @ grey.astype(np.float64) @ shares(width, wide).T


def picture(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Return a picture of a few soft waves and a little noise."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    waves = sum(chance.normal() * np.cos(chance.normal(0, 9) * x + chance.normal(0, 9) * y) for _ in range(5))
    return np.clip(128 + 40 * waves + chance.normal(0, 3, size), 0, 255).astype(np.uint8)


def bits(value: int) -> NDArray[np.bool_]:
    return np.array([value >> k & 1 for k in range(64)], dtype=bool).reshape(8, 8)


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 10_000))
def test_the_hashes_are_those_of_the_published_formulas(size: tuple[int, int], seed: int) -> None:
    grey = picture(size, seed)
    found = hashes(grey)
    exact = means(grey, 32, 32)
    assert np.abs(found.grey32 - exact).max() <= 0.51
    waves = dctn(exact, type=2)[:8, :8]
    away = waves - np.median(waves)
    clear = np.abs(away) > 1e-3 * np.abs(waves).max()  # beside the median, the whole numbers of the kernel may differ
    assert (bits(found.phash) == (away > 0))[clear].all()
    steps = np.diff(means(np.round(exact * 256).astype(np.int64), 8, 9) / 256, axis=1)
    clear = np.abs(steps) > 0.01
    assert (bits(found.dhash) == (steps > 0))[clear].all()


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(0, 10_000))
def test_colour_means_are_means_of_each_colour_by_area(size: tuple[int, int], seed: int) -> None:
    pixels = np.stack([picture(size, seed + k) for k in range(3)], axis=2)
    expected = np.stack([means(pixels[:, :, c], 8, 8) for c in range(3)], axis=2)
    assert np.abs(colour_means(pixels) - expected).max() <= 0.51


def test_a_whole_enlargement_has_the_same_hashes() -> None:
    grey = picture((64, 96), 1)
    large = grey.repeat(3, axis=0).repeat(2, axis=1)
    small, big = hashes(grey), hashes(large)
    assert (small.phash, small.dhash) == (big.phash, big.dhash)
    assert np.array_equal(small.grey32, big.grey32)


def test_the_layout_in_memory_changes_nothing() -> None:
    grey = picture((70, 45), 2)
    apart = np.zeros((140, 90), dtype=np.uint8)
    apart[::2, ::2] = grey
    one, other = hashes(grey), hashes(apart[::2, ::2])
    assert one[:2] == other[:2] and np.array_equal(one.grey32, other.grey32)
    assert hashes(np.asfortranarray(grey))[:2] == one[:2]


def test_known_pictures_keep_their_hashes() -> None:
    """Stored hashes of earlier analyses stay comparable."""
    y, x = np.mgrid[0:100, 0:150]
    assert hashes(np.full((3, 5), 200, np.uint8))[:2] == (1, 0)
    assert hashes((x + y).astype(np.uint8))[:2] == (1, 2**64 - 1)
    assert hashes((x * y % 251).astype(np.uint8))[:2] == (0xFCFCFCF8F8E00001, 0x51E52B2BB5DB6F2F)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.tuples(*[st.integers(0, 40)] * 4, st.sampled_from([0, 255])), max_size=2))
def test_plain_borders_are_taken_off_and_nothing_else(seed: int, borders: list[tuple[int, int, int, int, int]]) -> None:
    content = picture((90, 80), seed)
    content[[0, -1]] = content[:, [0, -1]] = 128
    content[::9, [0, -1]] = content[[0, -1], ::9] = 60  # no line of it is plain
    framed = content
    for top, bottom, left, right, level in borders:
        framed = np.pad(framed, ((top, bottom), (left, right)), constant_values=level)
    noisy = np.clip(framed.astype(int) + np.random.default_rng(seed).integers(-9, 10, framed.shape), 0, 255)
    assert inner_part(noisy.astype(np.uint8)).shape == content.shape
    assert np.array_equal(inner_part(framed), content)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (40, 30)])
def test_a_plain_picture_and_a_speck_keep_their_size(size: tuple[int, int]) -> None:
    plain = np.full(size, 255, np.uint8)
    assert inner_part(plain).shape == size
    plain[size[0] // 2, size[1] // 2] = 0
    assert inner_part(plain).shape == size
