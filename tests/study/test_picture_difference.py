"""What is called a difference between two pictures is one that is there."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tamis.analytics.study.picture_difference import PictureDifference, picture_difference


def drawn(*, size: tuple[int, int] = (120, 90), spot: bool = False, mode: str = "RGB") -> Image.Image:
    picture = Image.radial_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 15, 70, 60), fill=(180, 40, 30))
    draw.line((0, 80, 119, 20), fill=(20, 60, 200), width=5)
    if spot:
        draw.rectangle((80, 55, 99, 74), fill=(255, 255, 255))
    return picture.convert(mode)


def stored(picture: Image.Image, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def pixels(found: PictureDifference) -> np.ndarray:
    with Image.open(BytesIO(found.picture)) as picture:
        assert picture.format == "WEBP"
        return np.asarray(picture.convert("L"))


def test_a_picture_does_not_differ_from_itself_in_another_size_or_mode() -> None:
    same = picture_difference(stored(drawn()), stored(drawn(mode="RGBA")))
    assert (same.mean, same.share, same.shift) == (0.0, 0.0, (0, 0)) and pixels(same).max() == 0
    larger = picture_difference(stored(drawn()), stored(drawn().resize((480, 360), Image.Resampling.BICUBIC)))
    assert larger.shift == (0, 0) and larger.share < 0.02


def test_the_difference_is_bright_where_something_was_drawn_and_dark_elsewhere() -> None:
    found = picture_difference(stored(drawn()), stored(drawn(spot=True)))
    seen = pixels(found)
    assert seen.shape == (90, 120)
    assert seen[58:72, 83:97].min() > 100 and seen[:50].max() < 30
    assert found.share == pytest.approx(400 / (120 * 90), rel=0.1)


def test_a_moved_picture_is_laid_on_the_other_before_it_is_compared() -> None:
    moved = Image.new("RGB", (120, 90))
    moved.paste(drawn(), (5, 4))
    found = picture_difference(stored(drawn()), stored(moved))
    assert found.shift == (-5, -4)
    assert found.share < 0.2 < picture_difference(stored(drawn()), stored(Image.new("RGB", (120, 90)))).share


def test_a_drawing_on_nothing_differs_from_an_empty_picture_whatever_its_colour() -> None:
    for colour in ((0, 0, 0, 255), (255, 255, 255, 255)):
        drawing = Image.new("RGBA", (64, 64))
        ImageDraw.Draw(drawing).rectangle((16, 16, 47, 47), fill=colour)
        assert picture_difference(stored(drawing), stored(Image.new("RGBA", (64, 64)))).share == pytest.approx(0.25)
