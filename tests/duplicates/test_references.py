"""What a corpus shares with other files: n-grams with evaluation sets, and the most similar known text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_duplicates import edited, normal_text, shingle_set, similarity

from tamis.analytics.duplicates.reference_search import GramIndex, KnownTexts
from tamis.analytics.duplicates.references import Reference, put_reference
from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.run import verify_bundle
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.ledger import ledger
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.stored_arrays import pack
from tamis.analytics.study.study import Study
from tamis.data.corpus import Corpus
from tamis.data.errors import StoreError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

phrases = st.lists(st.sampled_from(["a", "b", "C", "d!"]), max_size=9).map(" ".join)


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def corpus_of(folder: Path, texts: list[str | None]) -> Corpus:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), folder / "items.parquet")
    return open_corpus(folder / "items.parquet")


def grams(text: str, n: int) -> set[tuple[str, ...]]:
    words = normal_text(text).split(" ")
    return {tuple(words[k : k + n]) for k in range(len(words) - n + 1)}


@settings(max_examples=60, deadline=None)
@given(st.lists(phrases, max_size=5), st.lists(phrases, min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 4))
def test_overlap_is_that_of_plain_python(texts: list[str], items: list[str], n: int, shortest: int) -> None:
    sets = [shingle_set(item, n=n) for item in items]
    words = [sum(1 for word in normal_text(item).split(" ") if word) for item in items]
    from tamis.analytics.duplicates.references import _read

    parts = _read(large(items), "word", n)
    reference = Reference(
        unit="word",
        n=n,
        starts=np.append(0, np.cumsum(np.concatenate([found.counts for found, _ in parts]))),
        shingles=np.concatenate([found.hashes for found, _ in parts]),
        units=np.concatenate([sizes for _, sizes in parts]),
        file=np.zeros(len(items), dtype=np.int32),
        row=np.arange(len(items)),
        files=("items",),
    )
    assert reference.units.tolist() == words
    found = GramIndex(reference, shortest).overlap(large(texts))
    looked = [k for k in range(len(items)) if words[k] >= min(n, shortest)]
    wanted = {gram for k in looked for gram in sets[k]}
    for place, text in enumerate(texts):
        own = {gram for length in {len(gram) for gram in wanted} for gram in grams(text, length)}
        shares = {k: np.float32(len(own & sets[k]) / len(sets[k])) for k in looked}
        best = max(shares.values(), default=np.float32(0))
        assert found.matches[place] == len(own & wanted)
        assert found.share[place] == best
        assert found.item[place] == (min(k for k in looked if shares[k] == best) if best > 0 else -1)


def test_reference_survives_the_round_trip_and_holds_no_text(tmp_path: Path) -> None:
    secret = "a very secret evaluation question that nobody may read"
    corpus = corpus_of(tmp_path, [secret, None, "short", ""])
    reference = Reference.of([corpus], n=5)
    assert [reference.name(k) for k in (-1, 0, 1, 2)] == ["", *(f"items.parquet, row {k}" for k in (1, 3, 4))]
    home = Workspace(tmp_path / "home")
    digest = put_reference([tmp_path / "items.parquet"], home, n=5)
    again = Reference.from_table(home.table(digest))
    assert again.table().equals(reference.table())
    assert b"secret" not in home.asset_path(digest).read_bytes()
    with pytest.raises(StoreError, match="not a reference"):
        Reference.from_table(pack({}, {"kind": "something else"}))


def test_nearest_known_text_is_found_and_compared_exactly(tmp_path: Path) -> None:
    known = [text for text in docstrings(("json", "logging")).column("text").to_pylist() if text][:150]
    texts = [edited(text, share=0.02, seed=k) for k, text in enumerate(known)] + ["nothing like it stands there"]
    reference = Reference.of([corpus_of(tmp_path, known)], n=3)
    values, items = KnownTexts(reference).nearest(large(texts))
    order = [str(known[int(row)]) for row in reference.row]
    sets = [shingle_set(text, n=3) for text in order]
    for place, text in enumerate(texts):
        own = shingle_set(text, n=3)
        truth = [similarity(own, other) for other in sets]
        if values[place]:
            assert values[place] == np.float32(truth[items[place]])
        if max(truth) >= 0.8:
            assert values[place] == np.float32(max(truth))
            assert items[place] == truth.index(max(truth))
    assert (values[-1], items[-1]) == (0, -1)


def test_rules_drop_what_other_files_have_and_travel_in_a_bundle(tmp_path: Path) -> None:
    table = docstrings(("email",))
    corpus = open_corpus(write_corpus(tmp_path / "corpus", table, files=2, seed=1))
    texts = sorted({text for text in table.column("text").to_pylist() if text and len(text.split()) > 20})
    corpus_of(tmp_path / "eval", [" ".join(text.split()[2:18]).upper() for text in texts[:5]])
    corpus_of(tmp_path / "other", [edited(text, share=0.01, seed=3) for text in texts[5:9]])
    home = Workspace(tmp_path / "home")
    evaluation = put_reference([tmp_path / "eval"], home)
    other = put_reference([tmp_path / "other"], home, n=3)
    recipe = Recipe().with_operator(OPERATORS.build("decontaminate", {"evaluation": evaluation, "overlap": 0.9}))
    recipe = recipe.with_operator(OPERATORS.build("exclude_known", {"reference": other, "similarity": 0.7}))
    measured = (documents_step(), columns_step(corpus))
    study = Study.open(corpus, home, steps=(*measured, facts_step(measured)))
    study.measure(recipe)
    outcome = study.evaluate(recipe)
    rows = corpus.fetch(study.documents, np.arange(study.facts.n)).column("text").to_pylist()
    lowered = [" ".join(normal_text(text).split()) for text in rows]
    items = [normal_text(" ".join(text.split()[2:18])) for text in texts[:5]]
    contaminated = {row for row, text in enumerate(lowered) if any(item in text for item in items)}
    assert set(outcome.dropped_by("decontaminate").tolist()) == contaminated
    assert len(contaminated) >= 5
    dropped = {rows[row] for row in outcome.dropped_by("exclude-known")}
    assert dropped >= set(texts[5:9]) - {rows[row] for row in contaminated}
    found = ledger(outcome, attach(study.facts, recipe.measures(), study.evidence), study.evidence)
    by_id = {row["id"]: row for row in found.to_pylist()}
    for step, digest in (("decontaminate", evaluation), ("exclude-known", other)):
        known = Reference.from_table(home.table(digest))
        names = [known.name(item) for item in range(len(known))]
        gone = [by_id[study.facts.ids[int(row)].as_py()] for row in outcome.dropped_by(step)]
        assert gone and {row["twin"] for row in gone} <= set(names)
    assert by_id[study.facts.ids[int(outcome.dropped_by("exclude-known")[0])].as_py()]["twin"].endswith(
        tuple(f", row {k}" for k in range(1, 5))
    )
    bundle = export_bundle(tmp_path / "bundle", study=study, recipe=recipe)
    elsewhere = Workspace(tmp_path / "elsewhere")
    assert verify_bundle(bundle, tmp_path / "corpus", workspace=elsewhere).ok


def test_reference_has_a_convention_of_its_own(tmp_path: Path) -> None:
    text = "permission is hereby granted to anybody who wants to use copy or sell this"
    corpus_of(tmp_path / "other", ["| " + text.replace(" ", " | ")])
    home = Workspace(tmp_path / "home")
    for convention, expected in (("words-1", False), ("letters-1", True), ("folded-1", True)):
        digest = put_reference([tmp_path / "other"], home, n=3, convention=convention)
        known = Reference.from_table(home.table(digest))
        assert known.convention == convention
        values, _ = KnownTexts(known).nearest(large([text]))
        assert (values[0] == 1.0) == expected
        assert (GramIndex(known, 1).overlap(large([text])).share[0] == 1.0) == expected
