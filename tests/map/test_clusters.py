"""Clusters: planted groups are found, nobody is pushed into one, the same every time; names say what is inside."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from topics import GLUE, TOPICS, topic_texts

from tamis.analytics.map.cluster_names import (
    ClusterLanguages,
    distinguishing_words,
    name_clusters,
    read_terms,
    stop_words,
    term_table,
    unique_names,
)
from tamis.analytics.map.cluster_steps import name_categories
from tamis.analytics.map.density_clusters import (
    DensityTree,
    SweepPoint,
    categories,
    centroids_of,
    fitting_size,
    forest,
    in_own_frame,
    linkage_of,
    number_by_size,
    tree_labels,
    vote,
)
from tamis.analytics.map.term_counts import TermCounter, TermCounts
from tamis.data.errors import SettingError


def blobs(per_blob: int = 60, *, noise: int = 0, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])
    points = np.concatenate([centre + random.normal(scale=0.4, size=(per_blob, 2)) for centre in centres])
    return np.concatenate([points, random.uniform(-20, 30, size=(noise, 2))])


def counted(texts: list[str], labels: list[int]) -> TermCounts:
    numbers = np.unique([label for label in labels if label >= 0]).astype(np.int32)
    with closing(TermCounter(numbers)) as counter:
        for first in range(0, len(texts), 7):
            part = slice(first, first + 7)
            counter.add(pa.array(texts[part], pa.large_string()), np.array(labels[part], dtype=np.int32))
        return counter.counts()


def test_hdbscan_finds_planted_groups_and_leaves_the_rest_unclustered() -> None:
    points = blobs(60, noise=25)
    labels = DensityTree.of(points).labels(20)
    assert [len(set(labels[g * 60 : g * 60 + 60].tolist()) - {-1}) for g in range(4)] == [1, 1, 1, 1]
    assert len(set(labels.tolist()) - {-1}) == 4
    assert (labels[240:] == -1).mean() > 0.7


def mixed(seed: int, *, digits: int | None = None) -> np.ndarray:
    """Return a few hundred points in groups of unlike size and spread."""
    random = np.random.default_rng(seed)
    centres = 4 * random.normal(size=(random.integers(1, 8), 2))
    chosen = centres[random.integers(len(centres), size=random.integers(5, 500))]
    points = chosen + random.choice([0.1, 0.5, 1.5], size=(len(chosen), 1)) * random.normal(size=chosen.shape)
    return points if digits is None else np.round(points, digits)


@pytest.mark.parametrize("seed", range(40))
def test_where_no_two_distances_are_equal_clusters_are_those_of_hdbscan(seed: int) -> None:
    from hdbscan.hdbscan_ import _tree_to_labels

    points = mixed(seed)
    # With more core points many reachabilities are equal, and hdbscan parts them in the order it found them.
    linkage = linkage_of(points, core_points=1)
    for size in (2, 3, 5, 10, 25, 60):
        reference = np.asarray(_tree_to_labels(points, linkage, size)[0], dtype=np.int32)
        assert np.array_equal(DensityTree.of(points, core_points=1).labels(size), number_by_size(reference))


def test_either_spanning_tree_gives_the_same_clusters_also_where_distances_are_equal() -> None:
    for seed in range(60):
        points = mixed(seed, digits=1 if seed % 2 else None)
        few, many = (forest(linkage_of(points, core_points=6, many=many)) for many in (10**9, 0))
        for size in (2, 5, 25):
            one, two = tree_labels(*few, size), tree_labels(*many, size)
            assert np.array_equal(number_by_size(one), number_by_size(two))


@pytest.mark.parametrize("many", [10**9, 0], ids=["hdbscan", "fast_hdbscan"])
@pytest.mark.parametrize("unit, offset", [(2.0**-8, 1e6), (2.0**40, 2.0**60), (2.0**-60, 0.0)])
def test_neither_an_offset_nor_a_scale_changes_a_cluster(many: int, unit: float, offset: float) -> None:
    whole = np.round(mixed(3) * 256)
    near, far = (
        forest(linkage_of(points, core_points=6, many=many)) for points in (whole / 256, whole * unit + offset)
    )
    for size in (5, 25):
        assert np.array_equal(tree_labels(*near, size), tree_labels(*far, size))


def test_points_around_zero_keep_every_bit_in_their_own_frame() -> None:
    points = mixed(3)
    framed = in_own_frame(points)
    scale = points[0, 0] / framed[0, 0]
    assert np.log2(scale) % 1 == 0 and np.abs(framed).max() <= 1.5
    assert np.array_equal(framed * scale, points)


def test_clusters_do_not_depend_on_the_order_of_points() -> None:
    points = np.round(blobs(60, noise=25), 1)
    order = np.random.default_rng(1).permutation(len(points))
    for size in (5, 10, 20):
        one, two = DensityTree.of(points).labels(size), DensityTree.of(points[order]).labels(size)
        pairs = set(zip(one[order].tolist(), two.tolist(), strict=True))
        assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs) > 2


def test_clusters_are_the_same_every_time_and_numbered_by_size() -> None:
    points = np.concatenate([blobs(60), blobs(30)[:30] + 40])
    first, second = DensityTree.of(points).labels(20), DensityTree.of(points.copy()).labels(20)
    assert np.array_equal(first, second)
    sizes = np.bincount(first[first >= 0])
    assert (np.diff(sizes) <= 0).all()


@given(st.lists(st.integers(-1, 6), max_size=60))
def test_numbering_by_size_changes_names_only(labels: list[int]) -> None:
    old = np.array(labels, dtype=np.int32)
    new = number_by_size(old)
    assert np.array_equal(old < 0, new < 0)
    assert len({(a, b) for a, b in zip(old.tolist(), new.tolist(), strict=True)}) == len(set(labels))
    assert np.array_equal(number_by_size(new), new)


def test_sweep_shows_every_setting_and_the_choice_avoids_the_cliff() -> None:
    sweep = DensityTree.of(blobs(60)).sweep([5, 20, 200])
    assert [point.min_cluster_size for point in sweep] == [5, 20, 200]
    assert sweep[1].clusters == 4 and sweep[1].largest == pytest.approx(0.25, abs=0.02)
    assert sweep[2].clusters == 0 and sweep[2].unclustered == 1.0
    cliff = [SweepPoint(50, 300, 0.3, 0.02), SweepPoint(150, 53, 0.3, 0.1), SweepPoint(160, 3, 0.1, 0.8)]
    assert fitting_size(cliff, 10_000) == 150
    assert fitting_size(cliff, 100) == 150
    with pytest.raises(SettingError):
        fitting_size([], 10)


@pytest.mark.parametrize("points", [0, 1, 2, 3])
def test_tiny_maps_have_no_clusters(points: int) -> None:
    tree = DensityTree.of(np.arange(2 * points, dtype=np.float64).reshape(points, 2))
    assert tree.labels(2).tolist() == [-1] * points or points == 3
    assert len(tree.sweep()) == 1


def test_vote_gives_the_commonest_cluster_of_the_neighbours() -> None:
    labels = np.array([0, 1, 1, -1, -1, -1], dtype=np.int32)
    indices = np.array([[1, 2, 3], [0, 2, 3], [1, 0, 3], [0, 1, 2], [3, -1, -1], [-1, -1, -1]], dtype=np.int32)
    assert vote(labels, indices).tolist() == [0, 1, 1, 1, 1, -1]
    tie = np.array([[1, 2, -1], [0, 0, 0], [0, 0, 0]], dtype=np.int32)
    assert vote(np.array([-1, 3, 2], dtype=np.int32), tie).tolist() == [2, 3, 2]


def test_centroids_are_unit_means_of_their_members() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, -1], [0.6, 0.8]], dtype=np.float16)
    centroids, numbers = centroids_of(vectors, np.array([2, 2, -1, 5], dtype=np.int32))
    assert numbers.tolist() == [2, 5]
    np.testing.assert_allclose(centroids, [[0.7071, 0.7071], [0.6, 0.8]], atol=1e-3)


def test_categories_join_clusters_that_point_the_same_way() -> None:
    angles = np.array([0.0, 0.05, 0.1, 1.5, 1.55, 3.0])
    kinds = categories(np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32), count=3)
    assert kinds.tolist() == [0, 0, 0, 1, 1, 2]
    assert categories(np.empty((0, 2), dtype=np.float32)).tolist() == []


def test_planted_clusters_are_named_by_their_own_words() -> None:
    texts, labels = topic_texts(40)
    named = name_clusters(counted(texts, labels.tolist()))
    for row, vocabulary in zip(named, TOPICS.values(), strict=True):
        assert set(row.words) <= set(vocabulary.split())
        assert row.name == ", ".join(row.words[:3])
        assert list(row.scores) == sorted(row.scores, reverse=True)


def test_stop_words_come_from_the_corpus_itself() -> None:
    texts, labels = topic_texts(40)
    found = {word for _, word in stop_words(counted(texts, labels.tolist()))}
    assert set(GLUE) - {"a"} <= found and not found & set(" ".join(TOPICS.values()).split())


def test_a_lone_cluster_of_another_language_is_not_named_by_its_glue_words() -> None:
    texts, labels = topic_texts(40)
    random = np.random.default_rng(1)
    rare = [f"Wort{i}" for i in range(40)]
    german = [f"der {random.choice(rare)} und die {random.choice(rare)} Bibliothek für das Paket" for _ in range(40)]
    german[:4] = ["Spiel Karten Brett"] * 4
    counts = counted([*texts, *german], [*labels.tolist(), *[9] * 40])
    languages = {0: "en", 1: "en", 2: "en", 3: "en", 9: "de"}
    words = next(row.words for row in name_clusters(counts, spoken=ClusterLanguages(languages)) if row.cluster == 9)
    assert not {"der", "und", "die", "für", "das"} & set(words)
    assert {"spiel", "karten"} <= set(words)


def test_names_hold_words_of_any_script_and_no_markup() -> None:
    texts = ["<script>alert(1)</script> Größe", "数据 分析 数据", "данные анализ", "تحليل البيانات", "हिन्दी भाषा"]
    counts = counted(texts * 3, [0, 1, 2, 3, 4] * 3)
    named = {row.cluster: row for row in name_clusters(counts)}
    assert set(named[0].words) == {"script", "alert", "größe"}
    assert "数据" in named[1].words and "данные" in named[2].words
    assert "البيانات" in named[3].words and "हिन्दी" in named[4].words
    assert not any(mark in row.name for row in named.values() for mark in "<>&\"'`*_[]()\n")


def test_japanese_names_are_made_of_words_and_not_of_endings() -> None:
    counts = counted(["このパッケージはファイルを削除する機能です"] * 3, [0] * 3)
    assert set(name_clusters(counts)[0].words) == {"パッケージ", "ファイル", "削除", "機能"}


def test_a_category_of_several_languages_is_not_named_by_their_stop_words() -> None:
    random = np.random.default_rng(2)
    glue = {"de": "der und die für", "fr": "le et la pour"}
    texts, labels, languages = [], [], {}
    for number in range(10):
        language = "de" if number < 5 else "fr"
        languages[number] = language
        for _ in range(10):
            texts.append(f"{glue[language]} wort{number}a wort{number}b x{random.integers(1000)}")
            labels.append(number)
    counts = counted(texts, labels)
    named = name_categories(counts, np.zeros(10, dtype=np.int32), ClusterLanguages(languages))
    assert not set(named[0].words) & set(" ".join(glue.values()).split())
    assert named[0].words[0].startswith("wort")


def test_a_language_in_one_large_cluster_and_crumbs_keeps_its_stop_words() -> None:
    texts, labels = topic_texts(40)
    german = [f"der und die für das {word}" for word in ("Spiel", "Karte", "Brett", "Musik", "Ton") for _ in range(16)]
    crumbs = [f"{word} {word}e" for word in ("Haus", "Berg", "Tal") for _ in range(4)]
    numbers = [9] * 80 + [10 + row // 4 for row in range(12)]
    counts = counted([*texts, *german, *crumbs], [*labels.tolist(), *numbers])
    languages = dict.fromkeys(range(4), "en") | dict.fromkeys(range(9, 13), "de")
    found = stop_words(counts, ClusterLanguages(languages))
    assert {("de", word) for word in ("der", "und", "die", "für", "das")} <= found


def test_a_cluster_that_holds_most_of_another_language_says_so_first() -> None:
    texts, labels = topic_texts(40)
    german = [f"und {word} {word}weg" for word in ("Spiel", "Karte", "Brett", "Musik", "Ton") for _ in range(16)]
    counts = counted([*texts, *german, *["Haus Berg", "Tal Bach"] * 8], [*labels.tolist(), *[9] * 80, *[10, 11] * 8])
    languages = dict.fromkeys(range(4), "en") | dict.fromkeys((9, 10, 11), "de")
    named = {row.cluster: row.name for row in name_clusters(counts, spoken=ClusterLanguages(languages))}
    assert [number for number, name in named.items() if name.startswith("de: ")] == [9]
    # What counts are all documents, not those that were counted.
    named = {row.cluster: row.name for row in name_clusters(counts, spoken=ClusterLanguages(languages, {10: 900}))}
    assert [number for number, name in named.items() if name.startswith("de: ")] == [10]
    for spoken in (ClusterLanguages(dict.fromkeys(range(12), "de")), ClusterLanguages(languages, shares={9: 0.8})):
        assert not any(": " in row.name for row in name_clusters(counts, spoken=spoken))


def test_names_are_unique_even_without_words() -> None:
    assert unique_names([["a", "b", "c", "d"], ["a", "b", "c", "e"], ["a", "b", "c"], [], []]) == [
        "a, b, c", "a, b, c, e", "a, b, c (2)", "unnamed", "unnamed (2)",
    ]  # fmt: skip
    assert name_clusters(counted(["123 456", "!!!"], [0, 1]))[1].name == "unnamed (2)"


def test_word_forms_are_not_repeated_in_a_name() -> None:
    counts = counted(["server servers serving game games" for _ in range(4)], [0, 0, 0, 0])
    assert len(name_clusters(counts)[0].words) <= 3


def test_words_that_tell_two_clusters_apart_are_on_their_side() -> None:
    texts, labels = topic_texts(40)
    counts = counted(texts, labels.tolist())
    found = distinguishing_words(counts, 0, 2, most=5)
    kitchen, music = TOPICS["kitchen"].split(), TOPICS["music"].split()
    assert all(row.word in kitchen for row in found if row.score > 0)
    assert all(row.word in music for row in found if row.score < 0)
    assert found[0].share_a > found[0].share_b
    swapped = distinguishing_words(counts, 2, 0, most=5)
    assert {row.word for row in swapped} == {row.word for row in found}
    with pytest.raises(SettingError, match="Unknown cluster"):
        distinguishing_words(counts, 0, 77)


def test_stop_words_tell_no_clusters_apart() -> None:
    texts, labels = topic_texts(40)
    more = [text + " indeed" * (label == 0 or number % 3 == 0)
            for number, (text, label) in enumerate(zip(texts, labels.tolist(), strict=True))]  # fmt: skip
    found = distinguishing_words(counted(more, labels.tolist()), 0, 2, most=40)
    assert "indeed" not in {row.word for row in found} and not {row.word for row in found} & set(GLUE)


def test_counts_do_not_depend_on_order_or_batches() -> None:
    texts, labels = topic_texts(20)
    order = np.random.default_rng(5).permutation(len(texts))
    one = counted(texts, labels.tolist())
    two = counted([texts[i] for i in order], labels[order].tolist())
    assert term_table(one).equals(term_table(two))


def test_stored_words_are_read_back() -> None:
    texts, labels = topic_texts(20)
    counts = counted(texts, [label if label < 2 else -1 for label in labels.tolist()])
    again = read_terms(term_table(counts))
    assert again.clusters.tolist() == [0, 1] and again.documents.tolist() == [20, 20]
    assert distinguishing_words(again, 0, 1) == distinguishing_words(counts, 0, 1)
    assert name_clusters(again) == name_clusters(counts)


def test_joined_counts_are_sums() -> None:
    counts = counted(["red fox", "red hen", "blue fox"] * 2, [0, 1, 2] * 2)
    joined = counts.joined(np.array([0, 0, 1], dtype=np.int32))
    rows = {(int(c), t): int(n) for c, t, n in zip(joined.cluster, joined.term.to_pylist(), joined.count, strict=True)}
    assert rows == {(0, "red"): 4, (0, "fox"): 2, (0, "hen"): 2, (1, "blue"): 2, (1, "fox"): 2}
    assert joined.documents.tolist() == [4, 2]


def test_a_corpus_without_any_cluster_has_no_centroids() -> None:
    vectors = np.eye(4, dtype=np.float16)
    centroids, numbers = centroids_of(vectors, np.full(4, -1, dtype=np.int32))
    assert centroids.shape == (0, 4) and numbers.shape == (0,)
