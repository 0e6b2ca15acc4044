"""Near-duplicate pictures: no near hash is missed, edited copies are alike, other pictures are not."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tamis.analytics.duplicates.image_candidates import (
    RADIUS,
    TURNED,
    UPRIGHT,
    Hashed,
    find_attempts,
    turn_picture,
    view_hashes,
)
from tamis.analytics.duplicates.image_near import (
    PASSES,
    PictureParams,
    Thumbnails,
    picture_near_step,
    picture_pairs,
)
from tamis.analytics.signals.image_hashes import colour_means, hashes, inner_part
from tamis.analytics.signals.pictures_step import pictures_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.measures import step_name
from tamis.analytics.steps.pipeline import analyze
from tamis.data.errors import Cancelled
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import ProgressState, TrackedProgress
from tamis.data.workspace import Workspace

SIZE = 160


def drawn(seed: int) -> NDArray[np.uint8]:
    """Return a picture of soft coloured waves and some blocks, uint8 (160, 160, 3)."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    waves = np.zeros((SIZE, SIZE, 3))
    for _ in range(5):
        a, b, c = chance.normal(0, 8, 3)
        waves += np.cos(a * x + b * y + c)[:, :, None] * chance.normal(0, 40, 3)
    for _ in range(4):
        top, left = chance.integers(0, SIZE - 40, 2)
        waves[top : top + 40, left : left + 25] += chance.normal(0, 60, 3)
    return np.clip(128 + waves, 0, 255).astype(np.uint8)


def thumbnails(pictures: list[NDArray[np.uint8]]) -> Thumbnails:
    greys = [np.round(each @ [0.299, 0.587, 0.114]).astype(np.uint8) for each in pictures]
    whole, inner = [hashes(grey) for grey in greys], [hashes(inner_part(grey)) for grey in greys]
    words = [np.array([(each.phash, each.dhash) for each in side], dtype=np.uint64) for side in (whole, inner)]
    greys32 = [np.stack([each.grey32 for each in side]) for side in (whole, inner)]
    return Thumbnails(*words, *greys32, np.stack([colour_means(np.ascontiguousarray(each)) for each in pictures]))


def edits(picture: NDArray[np.uint8], seed: int) -> dict[str, NDArray[np.uint8]]:
    chance = np.random.default_rng(seed)
    framed = np.pad(picture, ((9, 9), (0, 0), (0, 0)))
    return {
        "smaller": picture[::2, ::2],
        "noisy": np.clip(picture + chance.normal(0, 12, picture.shape), 0, 255).astype(np.uint8),
        "cut": picture[8:-8, 8:-8],
        "cut at a corner": picture[8:, :-8],
        "padded": np.pad(picture, ((16, 16), (16, 16), (0, 0)), constant_values=255),
        "framed twice": np.pad(framed, ((5, 5), (20, 20), (0, 0)), constant_values=255),
        "lighter": np.clip(picture.astype(int) + 35, 0, 255).astype(np.uint8),
    }


def test_copies_are_paired_with_their_original_seldom_missed_where_padded_and_no_other_picture_is() -> None:
    missed: Counter[str] = Counter()
    for seed in range(60):
        originals = [drawn(seed), drawn(seed + 20_000), drawn(seed + 40_000)]
        copies = edits(originals[0], seed)
        pairs = picture_pairs(thumbnails([*originals, *copies.values()]))
        alike = {(a, b) for a, b, s in zip(pairs.left, pairs.right, pairs.similarity, strict=True) if s >= 0.8}
        missed.update(name for k, name in enumerate(copies, 3) if (0, k) not in alike)
        assert not {pair for pair in alike if pair[0] in (1, 2) or pair[1] in (1, 2)}
        assert pairs.similarity.min() >= 0.6 and pairs.similarity.max() <= 1
        assert (pairs.left < pairs.right).all()
    # A plain edge of the picture itself is taken for a part of the border.
    assert set(missed) <= {"padded", "framed twice"} and max(missed.values(), default=0) <= 3


def test_threads_change_no_bit() -> None:
    pictures = thumbnails([copy for seed in range(6) for copy in edits(drawn(seed), seed).values()])
    one, more = picture_pairs(pictures), picture_pairs(pictures, threads=3)
    assert len(one.left) > 60
    assert all(np.array_equal(getattr(one, name), getattr(more, name)) for name in ("left", "right", "similarity"))


def test_progress_says_how_many_pictures_are_done_many_times(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        for name, copy in {"original": drawn(seed), "same": drawn(seed), **edits(drawn(seed), seed)}.items():
            Image.fromarray(copy).save(folder / f"{seed} {name}.png")
    corpus, home = open_corpus(folder), Workspace(tmp_path / "home")
    spec = picture_near_step(PictureParams().measure)
    steps = (pictures_step(corpus), documents_step(corpus), spec)
    seen: list[ProgressState] = []
    analyze(corpus, home, steps=steps, progress=TrackedProgress(seen.append, interval=0.0))
    told = [state for state in seen if state.step == step_name(PictureParams().measure)][1:]
    done = [state.done for state in told]
    assert (told[0].total, told[0].unit) == (27 * PASSES, "looks at pictures")
    assert done == sorted(done) and done[0] == 0 and done[-1] == 27 * PASSES and len(set(done)) > 10
    assert all(state.fraction > told[0].fraction for state in told if state.done)


@pytest.mark.parametrize("after", [0, 2, 9, 18, 20])
def test_the_search_stops_between_two_blocks_when_somebody_cancels_it(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tamis.analytics.duplicates.image_near._TOGETHER", 16)
    pictures = thumbnails([copy for seed in range(6) for copy in edits(drawn(seed), seed).values()])
    seen: list[ProgressState] = []
    progress = TrackedProgress(seen.append, lambda: len(seen) > after, interval=0.0)
    with pytest.raises(Cancelled, match="was stopped"):
        picture_pairs(pictures, progress=progress)
    assert len(seen) == after + 1
    assert picture_pairs(pictures, progress=TrackedProgress(seen.append, interval=0.0)).left.size


def test_of_no_pictures_there_are_no_pairs() -> None:
    assert not len(picture_pairs(thumbnails([drawn(1)]).take(np.arange(0))).left)


@pytest.mark.parametrize("turn", range(1, 8))
def test_turned_and_mirrored_copies_are_found_when_asked_for(turn: int) -> None:
    picture = drawn(3)
    changed = np.ascontiguousarray(np.rot90(picture[:, ::-1] if turn >= 4 else picture, turn % 4))
    pictures = thumbnails([picture, drawn(4), changed])
    assert not len(picture_pairs(pictures).left)
    found = picture_pairs(pictures, PictureParams(turned=True))
    assert (found.left.tolist(), found.right.tolist()) == ([0], [2]) and found.similarity[0] > 0.99


def test_a_turn_is_undone_by_its_opposite() -> None:
    grey = drawn(1)[:, :, 0]
    for turn in range(4):
        assert np.array_equal(turn_picture(turn_picture(grey, turn), (4 - turn) % 4), grey)
        assert np.array_equal(turn_picture(turn_picture(grey, 4 + turn), 4 + turn), grey)


def test_another_colour_or_level_is_not_alike() -> None:
    picture = drawn(5)
    recoloured = picture.copy()
    grey = picture @ [0.299, 0.587, 0.114]
    recoloured[:] = np.clip(grey[:, :, None] + np.array([90, -40, -60]), 0, 255).astype(np.uint8)
    pairs = picture_pairs(thumbnails([picture, recoloured, 255 - picture]))
    assert not (pairs.similarity >= 0.8).any()


def test_plain_pictures_are_no_near_duplicates_of_others() -> None:
    plain = [np.full((50, 50, 3), level, np.uint8) for level in (0, 1, 2, 250)]
    assert not len(picture_pairs(thumbnails(plain)).left)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_the_search_finds_exactly_the_hashes_within_the_radius(seed: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    base = chance.integers(0, 2**64, 4, dtype=np.uint64)

    def near() -> NDArray[np.uint64]:
        flips = np.zeros((count, 2), dtype=np.uint64)
        for row in flips.reshape(-1, 1):
            for bit in chance.choice(64, chance.integers(0, 7), replace=False):
                row ^= np.uint64(1) << np.uint64(bit)
        return base[chance.integers(0, 4, (count, 2))] ^ flips

    plain = chance.random(count) < 0.1
    hashed = Hashed(near(), near(), UPRIGHT[:1], near()[:, None, :], plain)
    found = find_attempts(hashed, threads=2)
    expected = {}
    for a, b in combinations(np.flatnonzero(~plain).tolist(), 2):
        away = [
            int(np.bitwise_count(hashed.seen[q, 0, kind] ^ hashed.whole[o, kind]))
            for q, o in ((a, b), (b, a)) for kind in (0, 1)
        ]  # fmt: skip
        if min(away) <= RADIUS:
            expected[a, b] = min(away[:2]) <= min(away[2:])
    told = zip(found.left.tolist(), found.right.tolist(), found.of_left.tolist(), strict=True)
    assert {(a, b): of_left for a, b, of_left in told} == expected


def test_the_hash_of_the_whole_view_is_that_of_the_picture() -> None:
    pictures = thumbnails([drawn(seed) for seed in range(5)])
    seen = view_hashes(pictures.grey32, pictures.inner32, (*UPRIGHT, *TURNED))
    assert np.bitwise_count(seen[:, 0] ^ pictures.whole).max() <= 4  # The means are whole levels here.
    assert seen.shape == (5, len(UPRIGHT) + len(TURNED), 2)
