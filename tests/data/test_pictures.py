"""Encoded bytes become pixels, or a stated reason; nothing crashes and nothing is guessed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_corpus import HEIGHT, WIDTH, damaged, encoded, scene, sound, turned
from PIL import Image, ImageOps

from tamis.data.errors import PictureError
from tamis.data.picture import MOST_PIXELS, Picture, read_picture

SOUND, DAMAGED = sound(), damaged()


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_picture_is_read_by_its_content(name: str) -> None:
    raw, (kind, mode, frames) = SOUND[name]
    picture = read_picture(raw)
    assert (picture.format, picture.mode, picture.frames) == (kind, mode, frames)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(raw)))
    assert (picture.width, picture.height) == image.size
    if mode != "I;16":
        assert np.array_equal(picture.pixels, np.asarray(image.convert("RGBA"))[:, :, :3])
    assert (picture.alpha is not None) == (
        name in ("clear.png", "grey and alpha.png", "palette with a clear colour.png")
    )


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_is_no_picture_says_why(name: str) -> None:
    raw, reason = DAMAGED[name]
    with pytest.raises(PictureError) as caught:
        read_picture(raw)
    assert reason in caught.value.what


def test_samples_of_16_bits_keep_their_high_byte() -> None:
    levels = np.array([[0, 255, 256, 65_535]], dtype=np.uint16)
    assert read_picture(encoded(levels, "PNG")).pixels[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_data_say(orientation: int) -> None:
    pixels = scene()
    raw = turned(pixels, orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(raw))))
    assert np.array_equal(read_picture(raw).pixels, expected)


def test_what_is_transparent_looks_as_on_white() -> None:
    samples = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 51]]], dtype=np.uint8)
    picture = read_picture(encoded(samples, "PNG"))
    shown = picture.on_white()
    assert shown.pixels[0].tolist() == [[255, 255, 255], [10, 20, 30], [204, 204, 204]]
    assert shown.alpha is None
    assert picture.alpha is not None
    opaque = read_picture(encoded(np.dstack([scene(), np.full((HEIGHT, WIDTH), 255, np.uint8)]), "PNG"))
    assert opaque.alpha is None
    assert opaque.on_white() is opaque


def test_a_picture_of_several_pieces_of_memory_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.data.picture._IN_ONE", 4 * WIDTH * 7)
    assert np.array_equal(read_picture(encoded(scene(), "PNG")).pixels, scene())


def test_the_limit_of_pixels_is_that_of_the_library() -> None:
    assert Image.MAX_IMAGE_PIXELS == MOST_PIXELS


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SOUND)), st.data())
def test_any_damage_gives_a_picture_or_a_reason(name: str, data: st.DataObject) -> None:
    raw = bytearray(SOUND[name][0][:4096])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(read_picture(bytes(raw)), Picture)
    except PictureError as error:
        assert error.what
