"""Passages put together are the text; boilerplate is what documents of a source share; removal changes nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_duplicates import normal_text

from tamis.analytics.duplicates.boilerplate import BoilerplateParams, Passages, passage_hash
from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

text = st.text(alphabet=st.sampled_from("ab \n\t.é\r"), max_size=40)


def large(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def paragraphs(text: str) -> list[str]:
    """Return paragraphs with the line feeds that follow them; blank lines before the first belong to it."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    found: list[str] = []
    gap = seen = False
    for line in lines:
        visible = any(ord(character) > 32 for character in line)
        if not found or (visible and gap and seen):
            found.append("")
        found[-1] += line
        gap, seen = not visible, seen or visible
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(text, max_size=4))
def test_passages_are_those_of_plain_python(texts: list[str]) -> None:
    for unit, cut in (("line", lambda item: re.findall(r"[^\n]*\n|[^\n]+", item)), ("paragraph", paragraphs)):
        found = Passages.of(large(list(texts)), unit=unit)  # type: ignore[arg-type]
        expected = [part for item in texts for part in cut(item)]
        data = found.data.tobytes()
        assert [data[a:b].decode() for a, b in zip(found.edges[:-1], found.edges[1:], strict=True)] == expected
        assert found.owners.tolist() == [k for k, item in enumerate(texts) for _ in cut(item)]
        assert found.hashes.tolist() == [passage_hash(part) for part in expected]
        plain = [normal_text(part) for part in expected]
        assert found.words.tolist() == [
            len(one.split(" ")) if any(character.isalnum() for character in one) else 0 for one in plain
        ]


@settings(max_examples=100, deadline=None)
@given(st.lists(text, max_size=4), st.lists(text, min_size=1, max_size=3), st.sampled_from(["line", "paragraph"]))
def test_removal_takes_out_chosen_passages_and_nothing_else(texts: list[str], chosen: list[str], unit: str) -> None:
    chosen = [item.strip() for item in chosen if item.strip()]
    if not chosen:
        return
    operator = OPERATORS.build("remove_passages", {"passages": chosen, "unit": unit})
    cut = paragraphs if unit == "paragraph" else lambda item: re.findall(r"[^\n]*\n|[^\n]+", item)
    unwanted = {normal_text(item) for item in chosen if any(character.isalnum() for character in item)}
    expected = ["".join(part for part in cut(item) if normal_text(part) not in unwanted) for item in texts]
    assert operator.edit(large(list(texts))).to_pylist() == expected  # type: ignore[attr-defined]
    assert operator.edit(large([None, *texts]).slice(1)).to_pylist() == expected  # type: ignore[attr-defined]


def test_removal_keeps_null_and_needs_something_to_remove() -> None:
    operator = OPERATORS.build("remove_passages", {"passages": [" All rights reserved. "]})
    texts = large([None, "Text.\nALL RIGHTS RESERVED\nMore.", "all rights reserved"])
    assert operator.edit(texts).to_pylist() == [None, "Text.\nMore.", ""]  # type: ignore[attr-defined]


NOTICE = "This page was printed from the archive of the institute."


def rows() -> list[dict[str, str | None]]:
    """Return documents of two sources; one has a notice, and copies of one document."""
    found: list[dict[str, str | None]] = [
        {"text": f"Report number {k} about rivers and lakes.\n{NOTICE}\nEnd", "source": "archive"} for k in range(6)
    ]
    found += [{"text": f"Letter {k} says this and that.\n{NOTICE}", "source": "letters"} for k in range(2)]
    found += [{"text": "A copied text with a line of its own.\nAnd another line here.", "source": "letters"}] * 9
    return [*found, {"text": "\n \n", "source": "letters"}, {"text": None, "source": "letters"}]


@pytest.mark.parametrize("size", [1000, 4])
def test_boilerplate_counts_documents_of_a_source_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    from tamis.analytics.steps.corpus_columns import columns_step
    from tamis.analytics.steps.facts_step import facts_step
    from tamis.data import shards

    monkeypatch.setattr(shards, "SHARD_ROWS", size)
    pq.write_table(pa.Table.from_pylist(rows()), tmp_path / "corpus.parquet", row_group_size=3)
    corpus = open_corpus(tmp_path / "corpus.parquet")
    measured = (documents_step(), columns_step(corpus), exact_step())
    study = Study.open(corpus, Workspace(tmp_path / "home"), steps=(*measured, facts_step(measured)))
    operator = OPERATORS.build("boilerplate", {"documents": 5, "share": 0.5})
    recipe = Recipe().with_operator(operator)
    study.measure(recipe)
    params = BoilerplateParams(documents=5)
    values = study.evidence.array(params.measure, params.column)
    texts = corpus.fetch(study.documents, np.arange(study.facts.n)).column("text").to_pylist()
    for value, item in zip(values, texts, strict=True):
        if not item.strip():
            assert np.isnan(value)
        elif "Report" in item:
            assert value == pytest.approx((len(NOTICE) + 1) / len(item))
        else:
            assert value == 0
    assert study.evaluate(recipe).output.documents == study.facts.n - 6


def test_most_frequent_passages_are_listed_with_their_text(tmp_path: Path) -> None:
    from tamis.analytics.duplicates.boilerplate import boilerplate_step
    from tamis.analytics.steps.pipeline import analyze

    pq.write_table(pa.Table.from_pylist(rows()), tmp_path / "corpus.parquet")
    corpus = open_corpus(tmp_path / "corpus.parquet")
    spec = boilerplate_step(BoilerplateParams(documents=2).measure)
    table = analyze(corpus, Workspace(tmp_path / "home"), steps=[exact_step(), spec]).artifacts[spec.name]
    listed = table.table("passages").to_pylist()
    counts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows():
        for line in (row["text"] or "").split("\n"):
            counts[(str(row["source"]), line)].add(normal_text(row["text"] or ""))
    expected = [(len(documents), *key) for key, documents in counts.items() if len(documents) > 1 and len(key[1]) > 5]
    assert [(row["documents"], row["source"], row["text"]) for row in listed] == sorted(
        expected, key=lambda item: (-item[0], *item[1:])
    )
