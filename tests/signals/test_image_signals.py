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
from plain_pictures import plain_grey, plain_means, plain_signals

from tamis.analytics.signals.image_pixels import (
    SAMPLED_BLOCKS,
    SAMPLED_PIXELS,
    TEXT_BLOCK,
    area_means,
    measure_pixels,
    pixel_hash,
    spacing,
)
from tamis.analytics.signals.image_thumbnails import make_thumbnails
from tamis.data.picture import Picture, read_picture


def picture_of(pixels: NDArray[np.uint8]) -> Picture:
    return read_picture(encoded(pixels, "PNG"))


def measured(pixels: NDArray[np.uint8]) -> dict[str, float]:
    return measure_pixels(picture_of(pixels).words).values


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
    found = measure_pixels(picture_of(pixels).words)
    assert np.array_equal(found.grey, plain_grey(pixels))
    assert np.array_equal(found.grey, np.asarray(Image.fromarray(pixels).convert("L")))
    for signal, expected in plain_signals(pixels, *steps).items():
        # Saturation is counted in 2 ** 24ths.
        near = pytest.approx(expected, rel=1e-6 if signal == "saturation" else 1e-9, abs=1e-9, nan_ok=True)
        assert found.values[signal] == near, signal


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
        measure_pixels(read_picture(encoded(smooth, "JPEG", quality=quality)).words).values["blocking"]
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


def test_thumbnails_are_small_webp_and_never_larger_than_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.analytics.signals.image_thumbnails.LARGE_FROM", 100 * 100)
    sizes = {}
    for name, shape in {"wide": (10, 3000), "photo": (375, 500), "icon": (16, 16)}.items():
        small, large = make_thumbnails(picture_of(scene(1, height=shape[0], width=shape[1])))
        sizes[name] = [(read_picture(each).width, read_picture(each).height) for each in (small, large) if each]
        assert read_picture(small).format == "webp"
    assert sizes == {"wide": [(128, 1), (320, 1)], "photo": [(128, 96), (320, 240)], "icon": [(16, 16)]}
