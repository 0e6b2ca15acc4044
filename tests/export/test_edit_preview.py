"""What a text step is shown to do before it is added is what the curated files then hold."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from curating import SmallCorpus

from tamis.analytics.export.edit_preview import PLACES, RUN, preview_edits
from tamis.analytics.operators.operator import OPERATORS
from tamis.data.corpus import Corpus

REDACT = OPERATORS.build("pii_redaction", {})
REPEATS = OPERATORS.build("repeat_removal", {})
LINES = OPERATORS.build("c4_lines", {})


def written(folder: Path, texts: list[str]) -> SmallCorpus:
    path = folder / "corpus"
    path.mkdir()
    pq.write_table(pa.table({"id": [f"{k:05d}" for k in range(len(texts))], "text": texts}), path / "texts.parquet")
    return SmallCorpus(folder / "home", path)


def test_the_examples_are_what_the_curated_files_hold(tmp_path: Path) -> None:
    texts = [f"write to a{k}@kitchen.net\nsame line\nsame line" if k % 3 else f"nothing here {k}" for k in range(40)]
    small = written(tmp_path, texts)
    found = preview_edits(small.corpus, small.documents, small.outcome([REPEATS, REDACT]), "step-1")
    assert (found.reached, found.looked, found.changed, found.emptied, found.exact) == (40, 40, 26, 0, True)
    small.curate(tmp_path / "out", REPEATS, REDACT)
    files = (tmp_path / "out").rglob("part-*.parquet")
    curated = {row["id"]: row["text"] for file in files for row in pq.read_table(file).to_pylist()}
    assert len(found.examples) == 3
    for change in found.examples:
        name = small.documents.ids[change.row].as_py()
        # The step before has run already; this one alone is shown.
        assert change.before == f"write to a{int(name)}@kitchen.net\nsame line"
        assert change.after == curated[name] != change.before


def test_dropped_documents_are_not_shown_and_emptied_ones_are_counted(tmp_path: Path) -> None:
    texts = ["no end at all", "This line has words and ends.", "menu | login\nThis line stays because it ends."] * 4
    small = written(tmp_path, texts)
    keep = OPERATORS.build("id_list", {"ids": [f"{k:05d}" for k in range(6)], "mode": "keep"})
    found = preview_edits(small.corpus, small.documents, small.outcome([keep, LINES]), "step-1")
    assert (found.reached, found.changed, found.emptied) == (6, 4, 2)
    assert [change.after for change in found.examples].count("") == 2
    last = preview_edits(small.corpus, small.documents, small.outcome([LINES, keep]), "step-0")
    assert last.reached == 12, "a step is shown where it stands"


@pytest.mark.parametrize("seed", [0, 1])
def test_of_many_documents_a_fixed_number_of_neighbours_is_read(tmp_path: Path, seed: int) -> None:
    n = PLACES * RUN * 3 + 17
    small = written(tmp_path, [f"a{k}@kitchen.net" for k in range(n)])
    looks = [
        preview_edits(small.corpus, small.documents, small.outcome([REDACT]), "step-0", seed=seed) for _ in range(2)
    ]
    assert looks[0] == looks[1] and not looks[0].exact
    assert (looks[0].reached, looks[0].looked, looks[0].changed) == (n, PLACES * RUN, PLACES * RUN)


def test_of_a_conversation_the_turns_that_change_are_shown_alone(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "mail ann@kitchen.net"}, {"role": "assistant", "content": "I shall."}]
    path = tmp_path / "corpus"
    path.mkdir()
    pq.write_table(pa.table({"id": ["a"], "messages": [turns]}), path / "chats.parquet")
    small = SmallCorpus(tmp_path / "home", path, text=None)
    assert isinstance(small.corpus, Corpus) and small.corpus.shape.kind == "conversation"
    (change,) = preview_edits(small.corpus, small.documents, small.outcome([REDACT]), "step-0").examples
    assert (change.before, change.after) == ("mail ann@kitchen.net", "mail <EMAIL>")
