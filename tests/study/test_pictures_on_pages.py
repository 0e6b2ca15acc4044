"""What pages show of pictures is what the corpus holds: pictures, captions, values and figures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn_pictures import BROKEN, pictures_only, write_pictures
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from tamis.analytics.facts.facts import Facts
from tamis.analytics.signals.pictures_step import pictures_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.issues import find_issues
from tamis.analytics.study.pictures import (
    LARGEST,
    LONGEST,
    compare_pictures,
    compared_facts,
    picture_readings,
    picture_signals,
    picture_totals,
    read_pictures,
    spread_rows,
    whole_picture,
)
from tamis.analytics.study.queries import Scene
from tamis.analytics.study.study import Study
from tamis.data.errors import StoreError
from tamis.data.open_corpus import open_corpus
from tamis.data.picture import read_picture
from tamis.data.workspace import Workspace

PICTURES, TWINS = 40, 3


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("pictures")
    corpus = open_corpus(write_pictures(folder / "corpus", PICTURES, twins=TWINS))
    workspace = Workspace(folder / "home")
    return Study.open(corpus, workspace, steps=pictures_only(corpus, workspace))


@pytest.fixture(scope="module")
def scene(study: Study) -> Scene:
    return Scene.build(study.facts, study.evidence)


def opened(data: bytes) -> Image.Image:
    picture = Image.open(BytesIO(data))
    assert picture.format == "WEBP"
    return picture


def png(size: tuple[int, int], mode: str = "RGB") -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_picture_is_shown_with_its_own_caption_and_pixels(study: Study) -> None:
    rows = pq.read_table(study.corpus.root).to_pylist()
    known = {each["caption"]: each["image"]["bytes"] for each in rows if each["caption"]}
    readings = picture_readings(study, range(study.facts.n))
    assert len(readings) == PICTURES + TWINS and {each.text for each in readings} == {*known, ""} - {"broken"}
    for reading in readings[:12]:
        assert reading.picture is not None and reading.picture.id == study.facts.ids[reading.picture.row].as_py()
        small, whole = (read_pictures(study, [reading.picture.row], size)[0] for size in ("128", "full"))
        if reading.text:
            original = Image.open(BytesIO(known[reading.text])).convert("RGB")
            assert opened(whole).size == opened(small).size == original.size
            apart = np.abs(np.asarray(opened(whole).convert("RGB"), int) - np.asarray(original, int))
            assert apart.max() == 0, "small pictures are shown without loss"


def test_a_row_that_is_none_is_refused_and_says_so(study: Study) -> None:
    for row in (-1, study.facts.n):
        with pytest.raises(StoreError, match="no such document"):
            read_pictures(study, [row], "128")


def test_thumbnails_of_all_sizes_are_those_of_the_picture_in_the_order_asked_for(tmp_path: Path) -> None:
    sizes = [(40, 30), (128, 90), (129, 90), (90, 128), (500, 1), (1, 129)]
    for place, size in enumerate(sizes):
        (tmp_path / f"corpus-{place}.png").write_bytes(png(size))
    corpus = open_corpus(tmp_path)
    steps = (pictures_step(corpus), documents_step(corpus))
    study = Study.open(corpus, Workspace(tmp_path / "home"), steps=(*steps, facts_step(steps)))
    paths = study.corpus.fetch(study.documents, range(study.facts.n))["path"].to_pylist()
    rows = [paths.index(f"corpus-{place}.png") for place in (*range(len(sizes)), 0, 2)]
    for size, side in (("128", 128), ("320", 320)):
        found = [read_picture(each) for each in read_pictures(study, rows, size)]
        wanted = [sizes[place] for place in (*range(len(sizes)), 0, 2)]
        assert [max(each.width, each.height) for each in found] == [min(side, max(each)) for each in wanted]
        for each, (width, height) in zip(found, wanted, strict=True):
            assert abs(each.width * height - each.height * width) <= max(width, height)
    small, large = (read_pictures(study, rows, size) for size in ("128", "320"))
    assert [one == other for one, other in zip(small, large, strict=True)] == [max(each) <= 128 for each in wanted]
    named = [each.picture.name for each in picture_readings(study, rows) if each.picture is not None]
    assert named == [paths[row] for row in rows], "a picture without a caption is called by its file"


@given(st.integers(1, 5000), st.integers(1, 5000))
@example(30_000, 20)
@example(3, 30_000)
@example(2048, 2048)
def test_a_whole_picture_keeps_its_shape_and_is_never_larger_than_said(width: int, height: int) -> None:
    if width * height > 4_000_000 and max(width, height) <= 5000:
        width = max(1, 6_000_000 // height)
    shown = opened(whole_picture(read_picture(png((width, height)))))
    if width * height <= LARGEST**2 and max(width, height) <= LONGEST:
        assert shown.size == (width, height)
    assert shown.width * shown.height <= LARGEST**2 and max(shown.size) <= LONGEST and min(shown.size) >= 1
    scale = shown.width / width if width > height else shown.height / height
    assert abs(shown.width - scale * width) <= 1 and abs(shown.height - scale * height) <= 1
    assert scale == 1 or shown.width * shown.height > 0.9 * LARGEST**2 or max(shown.size) == LONGEST


def test_what_is_transparent_stays_transparent() -> None:
    drawing = Image.new("RGBA", (30, 20))
    drawing.paste((10, 20, 30, 255), (5, 5, 15, 15))
    buffer = BytesIO()
    drawing.save(buffer, "PNG")
    shown = opened(whole_picture(read_picture(buffer.getvalue()))).convert("RGBA")
    assert shown.getpixel((0, 0))[3] == 0 and shown.getpixel((10, 10)) == (10, 20, 30, 255)  # type: ignore[index]


def test_a_copy_differs_a_little_from_its_original_and_another_picture_much(study: Study) -> None:
    rows = {each.text: each.picture.row for each in picture_readings(study, range(study.facts.n)) if each.picture}
    for number in range(TWINS):
        original = next(row for words, row in rows.items() if words.endswith(f"number {number}"))
        other = next(row for words, row in rows.items() if words.endswith("number 30"))
        copy = compare_pictures(study, original, rows[f"copy of {number}"])
        assert copy.mean < 0.4 * compare_pictures(study, original, other).mean
        assert opened(copy.picture).size == opened(read_pictures(study, [original], "320")[0]).size


def test_figures_count_pictures_files_and_captions(study: Study, scene: Scene) -> None:
    found = picture_totals(scene)
    sizes = [study.facts.numbers(name) for name in ("width", "height")]
    assert (found.width, found.height) == tuple(int(np.median(each)) for each in sizes)
    assert found.captions == sum(bool(each.text) for each in picture_readings(study, range(study.facts.n)))
    assert found.bytes == study.facts.numbers("image_bytes").sum() and 0 < found.least <= found.most
    assert study.documents.errors.num_rows == len(BROKEN)
    signals = picture_signals(study.facts)
    assert {"sharpness", "width"} <= set(signals) and "n_tokens" not in signals
    assert {each.name for each in find_issues(scene)} >= {"no-caption"}
    assert not {each.name for each in find_issues(scene)} & {"fragments", "no-stop-words"}


def test_two_pictures_are_told_apart_by_their_values(scene: Scene) -> None:
    widths = scene.facts.numbers("width").astype(int).tolist()
    other = next(row for row in range(1, len(widths)) if widths[row] != widths[0])
    for rows in ((0, other), (other, 0)):
        told = {title: values for title, *values in compared_facts(scene, rows=rows)}
        assert told["Width"] == [str(widths[row]) for row in rows] and "Format" in told


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=0, max_size=40), st.integers(1, 12))
def test_pictures_along_an_axis_ascend_and_stand_for_equal_parts(values: list[int | None], n: int) -> None:
    ids = [f"{place:03d}" for place in range(len(values))]
    table = pa.table({"id": pa.array(ids, pa.string()), "value": pa.array(values, pa.float64())})
    facts = Facts.from_table(table, digest="d" * 64)
    rows = spread_rows(Scene.build(facts, None), column="value", n=n)  # type: ignore[arg-type]
    known = [value for value in values if value is not None]
    shown = facts.numbers("value")[rows] if len(rows) else np.empty(0)
    assert len(rows) == len(set(rows.tolist())) == min(n, len(known))
    assert np.array_equal(shown, np.sort(shown)) and (not known or set(shown.tolist()) <= set(known))
    if len(known) == n:
        assert sorted(known) == shown.tolist()
