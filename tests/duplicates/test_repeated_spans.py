"""Repeated spans: exactly the windows that an earlier document has, for any order of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrow_analysis import narrow_steps
from numpy.typing import NDArray

from tamis.analytics.duplicates.repeated_spans import RepeatedSpans, find_repeats
from tamis.analytics.export.curated import write_curated
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.operators.repeated_text import CutSpans, SubstringDedup
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.duplicate_sources import freeze_spans
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def _repeats(texts: list[bytes], length: int) -> RepeatedSpans:
    data = np.frombuffer(b"".join(text + b"\xff" for text in texts), dtype=np.uint8).copy()
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    return find_repeats(data, starts, length=length)


def _plain(texts: list[bytes], length: int) -> list[NDArray[np.bool_]]:
    """Return which bytes are repeated, window by window."""
    found, seen = [], set[bytes]()
    for text in texts:
        marks = np.zeros(len(text), dtype=np.bool_)
        windows = [text[k : k + length] for k in range(len(text) - length + 1)]
        for k, window in enumerate(windows):
            if window in seen:
                marks[k : k + length] = True
        seen.update(windows)
        found.append(marks)
    return found


@given(st.lists(st.text(alphabet="ab", max_size=14).map(str.encode), max_size=7), st.integers(1, 5))
def test_spans_are_the_windows_that_an_earlier_document_has(texts: list[bytes], length: int) -> None:
    found = _repeats(texts, length)
    marks = [np.zeros(len(text), dtype=np.bool_) for text in texts]
    for owner, begin, end in zip(found.owner, found.begin, found.end, strict=True):
        marks[owner][begin:end] = True
    plain = _plain(texts, length)
    assert [m.tolist() for m in marks] == [m.tolist() for m in plain]
    for k, text in enumerate(texts):
        assert np.isnan(found.share[k]) if not text else found.share[k] == np.float32(plain[k].mean())
        assert (found.first[k] >= 0) == plain[k].any() and found.first[k] < k


def _study(folder: Path, texts: dict[str, str], order: list[str]) -> Study:
    folder.mkdir()
    pq.write_table(pa.table({"id": order, "text": [texts[key] for key in order]}), folder / "corpus.parquet")
    corpus = open_corpus(folder / "corpus.parquet", roles={"text": "text", "id": "id"})
    workspace = Workspace(folder / "home")
    return Study.open(corpus, workspace, steps=narrow_steps(corpus, workspace, "columns"))


def test_documents_that_mostly_repeat_earlier_ones_go_whatever_the_order_of_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    own = ["".join(random.choice(list("abcdefghij klmn"), 300)) for _ in range(6)]
    notice = "é" * 10 + own[5]
    texts = {
        "a": own[0] + notice, "b": notice + own[1], "c": own[0][20:280] + "end", "d": own[2], "e": own[2], "f": "",
    }  # fmt: skip
    kept = {}
    for name, order in (("one", list("abcdef")), ("two", list("fbdcea"))):
        study = _study(tmp_path / name, texts, order)
        recipe = Recipe().with_operator(OPERATORS.build("substring_dedup", {"length": 100, "share": 0.9}))
        study.measure(recipe)
        copies = study.evaluate(recipe).copies
        kept[name] = study.facts.ids.filter(pa.array(copies > 0)).to_pylist()
        rule = recipe.steps[0].operator
        share = study.evidence.array(rule.measures()[0], "repeated_100")
        assert share[1] == pytest.approx(320 / 620, abs=1e-3) and share[2] == pytest.approx(260 / 263, abs=1e-3)
    assert kept["one"] == kept["two"] and {"a", "b", "d"} <= set(kept["one"])
    assert not {"c", "e"} & set(kept["one"])


def test_cutting_spans_leaves_them_in_the_first_document_and_no_word_torn(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    words = ["Brücke", "weg", "Дом", "river", "stone", "light"]
    own = [" ".join(random.choice(words, 60)) for _ in range(5)]
    notice = " ".join(random.choice(words, 40))
    texts = {
        "a": f"{own[0]} {notice}",
        "b": f"{own[1]} {notice} {own[2]}",
        "c": own[3],
        "d": own[3],
        "e": f"xx{notice[3:]} end",
    }
    study = _study(tmp_path / "corpus", texts, list("dbeca"))
    rule = SubstringDedup(length=60, share=1)
    study.measure(Recipe().with_operator(rule))
    recipe = Recipe().with_operator(freeze_spans(study, rule))
    with pytest.raises(RecipeError, match="were not read"):
        recipe.steps[0].operator.edit(pa.array(["x"]))  # type: ignore[attr-defined]
    outcome = study.evaluate(recipe)
    assert outcome.recipe.digest == recipe.digest
    step = outcome.steps[0].operator
    assert isinstance(step, CutSpans)
    after = dict(zip(texts, step.edit(pa.array(list(texts.values()), pa.large_string())).to_pylist(), strict=True))
    assert after["a"] == texts["a"] and after["c"] == after["d"] == own[3]
    assert notice not in after["b"] and set(after["b"].split()) <= set(words)
    assert after["b"].startswith(own[1]) and after["b"].endswith(own[2][-40:])
    assert after["e"].endswith(" end") and len(after["e"]) < 20
    again = step.edit(pa.array([None, *after.values()], pa.large_string())).to_pylist()
    assert again == [None, *after.values()]
    run = run_study(study, recipe, tmp_path / "run")
    assert run == after


def run_study(study: Study, recipe: Recipe, folder: Path) -> dict[str, str]:
    """Write curated files and return their texts by id."""
    write_curated(made_folder(folder), study.corpus, study.documents, study.evaluate(recipe))
    table = pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("**/part-*.parquet"))])
    return dict(zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True))


def made_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder
