"""Signals of pictures are those of plain numpy and scipy, and say what they are meant to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from picture_corpus import encoded, scene
from PIL import Image, ImageDraw, ImageFilter
from plain_pictures import plain_grey, plain_means, plain_signals, plain_sums

from tamis.analytics.signals import image_areas
from tamis.analytics.signals.image_areas import area_means, area_sums, means_of
from tamis.analytics.signals.image_hashes import CELLS, COLOURS
from tamis.analytics.signals.image_pixels import (
    SAMPLED_BLOCKS,
    SAMPLED_PIXELS,
    TEXT_BLOCK,
    look_at,
    pixel_signals,
    spacing,
)
from tamis.analytics.signals.image_scan import pixel_hash, scan_picture
from tamis.analytics.signals.image_thumbnails import first_size, make_thumbnails, thumbnail_of
from tamis.data.picture import Picture, read_picture


def picture_of(pixels: NDArray[np.uint8]) -> Picture:
    return read_picture(encoded(pixels, "PNG"))


def measured(pixels: NDArray[np.uint8]) -> dict[str, float]:
    return pixel_signals(look_at(picture_of(pixels).words))


def text_picture() -> NDArray[np.uint8]:
    image = Image.new("RGB", (200, 120), "white")
    draw = ImageDraw.Draw(image)
    for line in range(10):
        draw.text((2, 12 * line), "the quick brown fox jumps over it", fill="black")
    return np.asarray(image)


def bordered() -> NDArray[np.uint8]:
    framed = np.full((60, 80, 3), 250, dtype=np.uint8)
    framed[10:50, 5:60] = scene(3, height=40, width=55)
    return framed


CASES = {
    "scene": scene(0),
    "odd": scene(1, height=33, width=41),
    "grey": np.repeat(scene(2)[:, :, :1], 3, axis=2),
    "flat": np.full((20, 30, 3), 200, dtype=np.uint8),
    "black": np.zeros((17, 19, 3), dtype=np.uint8),
    "dot": scene(3, height=1, width=1),
    "line": scene(4, height=1, width=300),
    "sampled": scene(5, height=500, width=375),
    "tall": scene(6, height=3_000, width=20),
    "noise": np.random.default_rng(7).integers(0, 256, (64, 48, 3), dtype=np.uint8),
    "text": text_picture(),
    "bordered": bordered(),
}


@pytest.mark.parametrize("name", CASES)
def test_signals_are_those_of_plain_numpy(name: str) -> None:
    pixels = CASES[name]
    height, width, _ = pixels.shape
    steps = spacing(height, width, SAMPLED_PIXELS), spacing(height // TEXT_BLOCK, width // TEXT_BLOCK, SAMPLED_BLOCKS)
    scan = look_at(picture_of(pixels).words)
    found = pixel_signals(scan)
    assert np.array_equal(scan.grey, plain_grey(pixels))
    assert np.array_equal(scan.grey, np.asarray(Image.fromarray(pixels).convert("L")))
    for signal, expected in plain_signals(pixels, *steps).items():
        # Saturation is counted in 2 ** 24ths.
        near = pytest.approx(expected, rel=1e-6 if signal == "saturation" else 1e-9, abs=1e-9, nan_ok=True)
        assert found[signal] == near, signal


def test_sampling_takes_all_of_a_small_picture_and_never_too_much() -> None:
    assert spacing(256, 256, SAMPLED_PIXELS) == 1
    assert spacing(0, 5, SAMPLED_BLOCKS) == 1
    for height, width in ((1, 90_000), (257, 256), (3000, 4000), (30_000, 8)):
        step = spacing(height, width, SAMPLED_PIXELS)
        assert math.ceil(height / step) * math.ceil(width / step) <= SAMPLED_PIXELS
        assert step == 1 or math.ceil(height / (step - 1)) * math.ceil(width / (step - 1)) > SAMPLED_PIXELS


def test_each_signal_moves_with_what_it_is_named_for() -> None:
    image = Image.fromarray(scene(8, height=96, width=128))
    plain = measured(np.asarray(image))
    blurred = measured(np.asarray(image.filter(ImageFilter.GaussianBlur(2))))
    assert blurred["sharpness"] < plain["sharpness"] / 4
    assert measured(np.asarray(image.convert("L").convert("RGB")))["colourfulness"] == pytest.approx(0)
    assert measured(np.asarray(image) // 2)["brightness"] < plain["brightness"] * 0.6
    smooth = image.filter(ImageFilter.GaussianBlur(1))
    blocking = [
        pixel_signals(look_at(read_picture(encoded(smooth, "JPEG", quality=quality)).words))["blocking"]
        for quality in (95, 30, 5)
    ]
    assert blocking == sorted(blocking)
    assert blocking[2] > 1.5 > 1.1 > blocking[0]
    assert measured(text_picture())["text_share"] > 0.5 > 0.05 > plain["text_share"]
    assert measured(CASES["flat"]) | {"sharpness": 0.0} == {
        "is_grey": 1.0, "brightness": 200.0, "brightness_spread": 0.0, "contrast": 0.0, "saturation": 0.0,
        "colourfulness": 0.0, "entropy": 0.0, "flat_share": 1.0, "sharpness": 0.0, "blocking": 1.0,
        "border_share": 1.0, "text_share": 0.0,
    }  # fmt: skip
    framed = measured(bordered())
    assert framed["border_share"] == pytest.approx(1 - 40 * 55 / (60 * 80))


def test_the_hash_of_pixels_is_that_of_what_is_shown_in_any_lossless_format() -> None:
    pixels = scene(9, height=31, width=37)
    files = (encoded(pixels, "PNG"), encoded(pixels, "BMP"), encoded(pixels, "WEBP", lossless=True))
    assert len({pixel_hash(read_picture(raw).words) for raw in files}) == 1
    assert len(pixel_hash(picture_of(pixels).words)) == 16


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_change_of_a_pixel_changes_the_hash(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    words = rng.integers(0, 1 << 32, (height, width), dtype=np.uint32)
    other = words.copy()
    other[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] ^= 1 << data.draw(
        st.integers(0, 31)
    )
    for each in (words, other):
        each.flags.writeable = False
    assert pixel_hash(words) != pixel_hash(other)
    assert height == width or pixel_hash(words) != pixel_hash(np.ascontiguousarray(words.reshape(width, height)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 23), st.integers(1, 23), st.data())
def test_smaller_pictures_are_means_of_areas(high: int, wide: int, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, high)), data.draw(st.integers(1, wide))
    samples = np.random.default_rng(high * wide).integers(0, 256, (high, wide, 4), dtype=np.uint8)
    samples.flags.writeable = False
    assert np.array_equal(area_means(samples, height, width), plain_means(samples, height, width))


def test_thumbnails_are_small_and_never_larger_than_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.analytics.signals.image_thumbnails.LARGE_FROM", 100 * 100)
    sizes = {}
    for name, shape in {"wide": (10, 3000), "photo": (375, 500), "icon": (16, 16)}.items():
        picture = picture_of(scene(1, height=shape[0], width=shape[1]))
        scan = look_at(picture.words, first_size(*shape))
        small, large = make_thumbnails(means_of(scan.small, scan.grey.size), scan.grey.size)
        sizes[name] = [(read_picture(each).width, read_picture(each).height) for each in (small, large) if each]
        stored, shown = read_picture(small), read_picture(thumbnail_of(picture))
        assert (stored.format, shown.format) == ("jpeg", "webp")
        away = stored.pixels.astype(int) - shown.pixels
        assert np.abs(away).mean() < 8
    assert sizes == {"wide": [(128, 1), (320, 1)], "photo": [(128, 96), (320, 240)], "icon": [(16, 16)]}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 3), st.data())
def test_one_look_sees_what_each_kernel_sees_alone(high: int, wide: int, step: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(high * wide)
    words = rng.integers(0, 1 << 32, (high, wide), dtype=np.uint32)
    words.flags.writeable = False
    samples = words.view(np.uint8).reshape(high, wide, 4)
    size = data.draw(st.integers(1, high)), data.draw(st.integers(1, wide))
    scan = scan_picture(words, step, size)
    assert scan.pixel_hash == pixel_hash(words)
    assert np.array_equal(scan.grey, plain_grey(samples[:, :, :3]))
    assert np.array_equal(means_of(scan.small, high * wide), plain_means(samples, *size))
    assert np.array_equal(scan.cells, area_sums(scan.grey[:, :, None], CELLS, CELLS))
    assert np.array_equal(scan.parts, area_sums(samples, COLOURS, COLOURS))
    assert scan.levels.sum() == scan.codes.sum() == math.ceil(high / step) * math.ceil(wide / step)


@pytest.mark.parametrize("size", [(1, 5_000), (3, 4_098), (600, 3), (2_100, 40)])
def test_sums_of_wide_and_tall_pictures_do_not_overflow(size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    pixels[:, ::2] = 255
    pixels[::2, 1::2] = 255
    words = picture_of(pixels).words
    found, expected = pixel_signals(look_at(words)), plain_signals(pixels, spacing(*size, SAMPLED_PIXELS), 1)
    assert found["sharpness"] == pytest.approx(expected["sharpness"], nan_ok=True)
    assert found["blocking"] == pytest.approx(expected["blocking"], nan_ok=True)
    scan = look_at(words)
    assert np.array_equal(scan.cells[:, :, 0], plain_sums(scan.grey, CELLS))


@pytest.mark.parametrize("columns", [1, 2, 255])
def test_sums_of_the_largest_picture_that_fits_into_32_bits_stay_in_their_halves(columns: int) -> None:
    rows = image_areas._FITTING // columns
    column = np.full((columns, 4), 255 * rows, dtype=np.uint32)
    column[:, 1] = 0
    for wide in {1, columns, columns // 2 + 1}:
        found, expected = np.empty((2, wide, 4), dtype=np.uint64)
        image_areas._sum_columns_of_four(column, image_areas.shares(columns, wide), found)
        image_areas._sum_columns(column, image_areas.shares(columns, wide), expected)
        assert np.array_equal(found, expected) and found.max() > 2**32 - 2**17


def test_known_pixels_keep_their_name() -> None:
    """Stored hashes of earlier analyses stay comparable."""
    words = np.arange(35, dtype=np.uint32).reshape(5, 7)
    words.flags.writeable = False
    assert pixel_hash(words).hex() == "c1bee43de189941a306520eda734a24a"
