"""Targets and overlap: halves that never meet, contamination found in both directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted import Domain, invented

from tamis.analytics.effect.bench import Bench, Protocol, clean, first_of_groups, hold_out
from tamis.analytics.effect.target import Target, find_target, import_target, list_targets, save_target
from tamis.analytics.steps.chosen_texts import sample_within
from tamis.analytics.text.ngram_overlap import Grams
from tamis.analytics.text.word_stream import Vocabulary, WordHashes
from tamis.data.errors import SettingError
from tamis.data.hashing import key64
from tamis.data.workspace import Workspace

COMMON = invented(100, np.random.default_rng(0))


def _texts(count: int, *, name: str = "sea", seed: int = 1, length: int = 60) -> list[str]:
    random = np.random.default_rng(seed)
    domain = Domain(name, COMMON, words=300)
    return [domain.text(random, length) for _ in range(count)]


def _words(texts: list[str]) -> WordHashes:
    return WordHashes.of(pa.array(texts, pa.large_string()))


def test_share_counts_n_grams_that_occur() -> None:
    words = [f"w{k}" for k in range(40)]
    known = _words([" ".join(words[:20])])
    grams = Grams.of(known.hashes, known.starts, n=13)
    asked = _words([" ".join(words[:20]), " ".join(words[7:33]), " ".join(words[20:]), "", "w0 w1"])
    assert grams.share(asked.hashes, asked.starts).tolist() == [1.0, 1 / 14, 0.0, 0.0, 0.0]


def test_short_texts_are_one_n_gram() -> None:
    known = _words(["hello there", "a b c"])
    grams = Grams.of(known.hashes, known.starts)
    asked = _words(["Hello There", "hello", "hello there you"])
    assert grams.share(asked.hashes, asked.starts).tolist() == [1.0, 0.0, 0.0]


def test_n_grams_of_many_documents_are_common_phrases() -> None:
    phrase = " ".join(f"p{k}" for k in range(14))
    target = _words([phrase, "something else entirely"])
    grams = Grams.of(target.hashes, target.starts)
    corpus = _words([f"x{k} {phrase}" for k in range(3)])
    grams.mark(corpus.hashes, corpus.starts)
    assert grams.share_hit(target.hashes, target.starts, most=3).tolist() == [1.0, 0.0]
    assert grams.share_hit(target.hashes, target.starts, most=2).tolist() == [0.0, 0.0]


def test_contamination_is_found_in_both_directions() -> None:
    pool, test = _texts(50, seed=2), _texts(12, seed=3)
    copied = [*pool, test[0], test[1] + " and a little more", " ".join([*pool[:20], test[2]])]
    hashes, unseen = _words(copied), _words(test)
    vocabulary = Vocabulary.of([hashes])
    contaminated, kept = clean(vocabulary.encode(hashes), len(copied), vocabulary.encode(unseen), share=0.2)
    # The first two are test texts; the third holds one among much else, so the test text goes instead.
    assert np.flatnonzero(contaminated).tolist() == [50, 51]
    assert kept.tolist() == [k for k in range(12) if k != 2]


def test_bench_keeps_training_test_and_hold_out_apart() -> None:
    pool, test = _texts(400, seed=4), _texts(30, seed=5)
    texts = [*pool, *pool[:40], test[0]]
    hashes, unseen = _words(texts), _words(test)
    vocabulary = Vocabulary.of([hashes])
    group = np.full(len(texts), -1, dtype=np.int64)
    group[:40] = group[400:440] = np.arange(40)
    bench = Bench.prepare(
        vocabulary.encode(hashes),
        key64([f"d{k}" for k in range(len(texts))]),
        hashes.bytes,
        group=group,
        stratum=np.zeros(len(texts), dtype=np.int64),
        seen=vocabulary.encode(unseen.take(np.arange(0))),
        unseen=vocabulary.encode(unseen),
        protocol=Protocol(holdout_share=0.1),
    )
    assert not bench.allowed[440] and bench.cleaning.corpus_documents == 1
    assert not bench.allowed[bench.holdout].any()
    assert 38 <= len(bench.holdout) <= 42
    held = {texts[row] for row in bench.holdout}
    assert not held & {texts[row] for row in np.flatnonzero(bench.allowed)}
    assert bench.cleaning.holdout_twins == sum(texts[row] in held for row in range(400, 440))


def test_target_inside_the_corpus_is_an_error() -> None:
    texts, others = _texts(30, seed=6), _texts(240, seed=10)
    hashes = _words([" ".join([text, *others[8 * k : 8 * k + 8]]) for k, text in enumerate(texts)])
    vocabulary = Vocabulary.of([hashes])
    empty = vocabulary.encode(_words([]))
    with pytest.raises(SettingError, match="occur in the corpus"):
        Bench.prepare(
            vocabulary.encode(hashes),
            key64([str(k) for k in range(30)]),
            hashes.bytes,
            group=np.full(30, -1, dtype=np.int64),
            stratum=np.zeros(30, dtype=np.int64),
            seen=empty,
            unseen=vocabulary.encode(_words(texts)),
            protocol=Protocol(),
        )


def test_hold_out_takes_the_same_share_of_every_stratum() -> None:
    stratum = np.repeat([0, 1, 2], [6000, 3000, 1000])
    size = np.full(10_000, 100)
    keys = key64([str(k) for k in range(10_000)])
    held = hold_out(keys, size, stratum, usable=np.ones(10_000, dtype=bool), protocol=Protocol(holdout_bytes=50_000))
    assert np.abs(np.bincount(stratum[held]) - [300, 150, 50]).max() <= 1


def test_first_of_groups_keeps_one_of_each() -> None:
    assert first_of_groups(np.array([-1, 0, 0, -1, 3, 3, 3])).tolist() == [True, True, False, True, True, False, False]


def test_halves_of_a_target_never_share_a_text(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    texts = _texts(120, seed=7)
    entry = save_target(workspace, "sea", [*texts, texts[0], None, " "], origin="test")
    target = Target.open(workspace, entry.digest)
    assert entry.documents == len(target) == 120
    seen, unseen = set(target.seen.to_pylist()), set(target.unseen.to_pylist())
    assert not seen & unseen and seen | unseen == set(texts)
    assert 40 < len(unseen) < 80
    again = save_target(workspace, "again", reversed(texts), origin="test")
    assert again.digest == entry.digest
    upper = Target("", pa.array([text.upper() for text in target.texts.to_pylist()], pa.large_string()))
    assert np.array_equal(upper.in_test, target.in_test)


def test_near_copies_across_the_halves_are_not_tested(tmp_path: Path) -> None:
    texts = _texts(80, seed=8)
    near = [text + " indeed" for text in texts]
    target = Target.open(Workspace(tmp_path), save_target(Workspace(tmp_path), "near", texts + near, origin="x").digest)
    seen = {text.removesuffix(" indeed") for text in target.seen.to_pylist()}
    assert not seen & {text.removesuffix(" indeed") for text in target.unseen.to_pylist()}


def test_targets_come_from_files_of_every_kind(tmp_path: Path) -> None:
    workspace, texts = Workspace(tmp_path / "home"), _texts(40, seed=9)
    pq.write_table(pa.table({"text": texts, "n": range(40)}), tmp_path / "one.parquet")
    (tmp_path / "two.txt").write_text("\n\n".join(texts))
    (tmp_path / "three").mkdir()
    for number, text in enumerate(texts):
        (tmp_path / "three" / f"{number}.txt").write_text(text)
    digests = {import_target(workspace, tmp_path / name).digest for name in ("one.parquet", "two.txt", "three")}
    assert len(digests) == 1
    assert list(list_targets(workspace)) == ["one", "three", "two"]
    assert find_target(workspace, "two").documents == 40
    with pytest.raises(SettingError, match="No target of this name"):
        find_target(workspace, "four")
    with pytest.raises(SettingError, match="more texts"):
        save_target(workspace, "few", texts[:5], origin="x")
    with pytest.raises(SettingError):
        save_target(workspace, "../out", texts, origin="x")


def test_sample_is_by_key_and_within_its_limit() -> None:
    keys, size = key64([str(k) for k in range(100)]), np.full(100, 10)
    rows = sample_within(keys, size, 205, seed=0, salt="x")
    assert len(rows) == 20
    assert sample_within(keys, size, 1, seed=0, salt="x").tolist() == rows[:1].tolist()
    assert sample_within(keys, size, 900, seed=0, salt="x", most=7).tolist() == rows[:7].tolist()
