"""The rule idf_decontaminate on real texts: decisions, evidence, ledger, bundles, counts by set, the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from docstrings import docstrings, write_corpus
from narrow_analysis import narrow_steps
from plain_idf import strength_of, weights_of, words_of

from tamis.analytics.duplicates.evaluation_items import PARTS
from tamis.analytics.duplicates.evaluation_sets import EvaluationEntry, save_evaluation
from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.run import run_bundle, verify_bundle
from tamis.analytics.operators.contamination import IdfDecontaminate
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.ledger import ledger
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.hit_reviews import RIGHT, WRONG, hit_subjects, precision_of_hits, sample_order
from tamis.analytics.study.contamination import Contamination, find_contamination, hit_texts
from tamis.analytics.study.queries import find_items
from tamis.analytics.study.study import Study
from tamis.data import shards
from tamis.data.errors import RecipeError, StoreError
from tamis.data.open_corpus import open_corpus
from tamis.data.reviews import Event
from tamis.data.workspace import Workspace

TABLE = docstrings(("email", "json"))
TEXTS = sorted({text for text in TABLE.column("text").to_pylist() if text and len(text.split()) > 60})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a corpus, two evaluation sets made of its texts, and a workspace that stores them."""
    folder = tmp_path_factory.mktemp("idf")
    write_corpus(folder / "corpus", TABLE, files=3, seed=1)
    first = [{"question": " ".join(text.split()[2:40]), "answer": "x", "context": text} for text in TEXTS[:6]]
    first.append(
        {"question": "a question of which no document holds enough words to be one", "answer": "", "context": ""}
    )
    second = [{"text": " ".join(TEXTS[0].split()[2:40]).upper()}, {"text": " ".join(TEXTS[7].split()[:55])}]
    second.append({"text": first[1]["question"]})
    for name, rows in (("first", first), ("second", second)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def entry(root: Path) -> EvaluationEntry:
    return save_evaluation(Workspace(root / "home"), "exams", [root / "first.jsonl", root / "second.jsonl"],
                           convention="words-1")  # fmt: skip


def rule_of(entry: EvaluationEntry, **params: object) -> IdfDecontaminate:
    rule = OPERATORS.build("idf_decontaminate", {"evaluation": entry.digest, **params})
    assert isinstance(rule, IdfDecontaminate)
    return rule


@pytest.fixture(scope="module")
def study(root: Path, entry: EvaluationEntry) -> Study:
    corpus, home = open_corpus(root / "corpus"), Workspace(root / "home")
    found = Study.open(corpus, home, steps=narrow_steps(corpus, home, "tokens"))
    found.measure(Recipe().with_operator(rule_of(entry)))
    return found


def texts_of(study: Study) -> list[str]:
    found = study.corpus.fetch(study.documents, np.arange(study.facts.n)).column("text").to_pylist()
    return [text or "" for text in found]


def dropped(study: Study, rule: IdfDecontaminate) -> set[int]:
    return set(np.flatnonzero(study.evaluate(Recipe().with_operator(rule)).deciding).tolist())


@pytest.mark.parametrize("parts", [("prompt", "answer", "whole"), ("passage",), ("whole",)])
@pytest.mark.parametrize("share", [0.5, 0.8, 1.0])
def test_a_document_is_dropped_exactly_when_plain_python_finds_an_item(
    study: Study, entry: EvaluationEntry, root: Path, parts: tuple[str, ...], share: float
) -> None:
    rule = rule_of(entry, parts=list(parts), share=share)
    assert not study.pending(Recipe().with_operator(rule))
    rows = [json.loads(line) for name in ("first", "second") for line in (root / f"{name}.jsonl").open()]
    texts: dict[tuple[str, tuple[str, ...]], None] = {}
    counted: dict[tuple[str, tuple[str, ...]], None] = {}
    for row in rows:
        both = row.get("text") or (f"{row['question']}\n\n{row['answer']}" if row["answer"] else "")
        own = {"prompt": row.get("question"), "answer": row.get("answer"), "passage": row.get("context"),
               "whole": both}  # fmt: skip
        for part, text in own.items():
            words = tuple(words_of(text or ""))
            if words:
                texts[part, words] = None
                if part != "whole" or "text" in row:
                    counted[part, words] = None
    weights = weights_of([words for _, words in counted])
    items = [list(words) for part, words in texts if part in parts and len(words) >= 8]
    documents = [words_of(text) for text in texts_of(study)]
    truth = {row for row, words in enumerate(documents)
             if any(np.float32(strength_of(words, item, weights)) >= np.float32(share) for item in items)}  # fmt: skip
    assert dropped(study, rule) == truth and (truth or parts == ("whole",))


def test_the_ledger_names_every_set_item_part_and_share(study: Study, entry: EvaluationEntry) -> None:
    recipe = Recipe().with_operator(rule_of(entry))
    outcome = study.evaluate(recipe)
    found = ledger(outcome, attach(study.facts, recipe.measures(), study.evidence), study.evidence).to_pylist()
    assert found and {row["threshold"] for row in found} == {">= 0.8"}
    assert all(0.8 <= float(row["value"]) <= 1 for row in found)
    names = [row["twin"] for row in found]
    row = texts_of(study).index(TEXTS[0])
    mine = next(each["twin"] for each in found if each["id"] == study.facts.ids[row].as_py())
    # The same question in two sets is one text of each part, and both are named.
    assert "first: first.jsonl, row 1, prompt: 1.000 of" in mine and "second: second.jsonl, row 1, whole: 1.000" in mine
    assert all(": " in name and " words" in name for name in names)
    assert find_items(study, rule_of(entry), np.array([row])) == [mine]


def test_counts_by_set_are_those_of_the_hits_and_of_the_dashboard(study: Study, entry: EvaluationEntry) -> None:
    rule = rule_of(entry)
    found = find_contamination(study, rule)
    assert found.documents == len(dropped(study, rule)) == len(set(found.rows.tolist()))
    assert found.strengths.tolist() == sorted(found.strengths.tolist(), reverse=True)
    by_name = {each.name: each for each in found.counts}
    assert (by_name["first"].items, by_name["second"].items) == (7, 3)
    for name, count in by_name.items():
        hits = [hit for hit in range(len(found)) if name in found.set_names(hit)]
        assert count.documents == len({int(found.rows[hit]) for hit in hits})
        for part, number in count.by_part:
            ours = {int(found.rows[hit]) for hit in hits if found.part(hit) == part
                    and any(found.sets.sets[found.sets.set[item]] == name
                            for item in found.sets.owners_of(int(found.texts[hit])))}  # fmt: skip
            assert number == len(ours)
    assert by_name["first"].found == 6 and by_name["second"].found == 3
    assert [part for part, _ in by_name["first"].by_part] == list(rule.parts)


def test_both_texts_of_a_hit_are_shown_with_the_share_that_was_measured(study: Study, entry: EvaluationEntry) -> None:
    found = find_contamination(study, rule_of(entry, parts=list(PARTS)))
    documents = texts_of(study)
    for hit in range(len(found)):
        both = hit_texts(study, found, hit)
        assert both.document == documents[int(found.rows[hit])]
        assert words_of(both.item) and found.sets.words[found.texts[hit]] == len(words_of(both.item))
        assert both.shared.share == pytest.approx(float(found.shares[hit]), abs=1e-6)
        assert all(both.document[a:b].strip() for a, b in both.shared.document)


def test_texts_that_changed_since_are_not_shown_as_the_items(study: Study, root: Path) -> None:
    path = root / "passing.jsonl"
    path.write_text(json.dumps({"text": " ".join(TEXTS[0].split()[:50])}) + "\n")
    home = Workspace(root / "home")
    rule = rule_of(save_evaluation(home, "passing", [path]))
    study.measure(Recipe().with_operator(rule))
    found = find_contamination(study, rule)
    assert len(found)
    path.write_text(json.dumps({"text": "something else"}) + "\n")
    with pytest.raises(StoreError, match="not on this machine as they were stored"):
        hit_texts(study, found, 0)


def test_a_bundle_gives_the_same_selection_from_any_layout_and_says_the_same_names(
    study: Study, entry: EvaluationEntry, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = rule_of(entry, share=0.7)
    recipe = Recipe(title="exams").with_operator(rule)
    bundle = export_bundle(tmp_path / "bundle", study=study, recipe=recipe)
    monkeypatch.setattr(shards, "SHARD_ROWS", 50)
    write_corpus(tmp_path / "other", TABLE, files=5, seed=9)
    elsewhere = Workspace(tmp_path / "elsewhere")
    assert verify_bundle(bundle, root / "corpus", workspace=elsewhere).ok
    runs = [run_bundle(bundle, path, tmp_path / path.parent.name / f"out-{path.name}", workspace=elsewhere)
            for path in (root / "corpus", tmp_path / "other")]  # fmt: skip
    assert runs[0].selection == runs[1].selection
    assert runs[0].contamination == {recipe.active[0].id: find_contamination(study, rule).counts}
    said = tamis("run", str(tmp_path / "bundle"), str(root / "corpus"), "-o", str(tmp_path / "cli"),
                 home=tmp_path / "elsewhere").stdout  # fmt: skip
    assert all(
        f"evaluation set {each.name}: {each.sentence}" in said for each in runs[1].contamination["idf-decontaminate"]
    )
    assert runs[0].counts[0].documents - runs[0].counts[1].documents == len(dropped(study, rule))
    ledgers = [pq.read_table(run.folder / "ledger.parquet") for run in runs]
    assert ledgers[0].equals(ledgers[1]) and ledgers[0].num_rows == len(dropped(study, rule))
    assert ledgers[0].column("twin").null_count == 0


def test_what_cannot_be_asked_is_refused_by_name(entry: EvaluationEntry, study: Study) -> None:
    for params, word in (({"share": 0.4}, "share"), ({"parts": []}, "parts"), ({"parts": ["choices"]}, "parts")):
        with pytest.raises(RecipeError, match=word):
            rule_of(entry, **params)
    assert rule_of(entry, parts=["whole", "prompt"]) == rule_of(entry, parts=["prompt", "whole", "prompt"])
    missing = OPERATORS.build("idf_decontaminate", {"evaluation": "0" * 64})
    with pytest.raises(StoreError, match="no such asset"):
        study.measure(Recipe().with_operator(missing))


def said(found: Contamination, study: Study, hits: list[int], values: list[str], by: str = "ada") -> list[Event]:
    subjects = hit_subjects(found, study.facts.ids, hits)
    return [Event(f"{by}{k}{value}", by, "c", "hit", subject, "decision", value)
            for k, (subject, value) in enumerate(zip(subjects, values, strict=True))]  # fmt: skip


def test_precision_counts_the_sample_alone_and_is_exact_when_all_is_judged(
    study: Study, entry: EvaluationEntry
) -> None:
    found = find_contamination(study, rule_of(entry))
    facts = study.facts
    order = sample_order(found, facts.keys).tolist()
    assert sorted(order) == list(range(len(found))) and len(set(hit_subjects(found, facts.ids, order))) == len(order)

    def precision(events: list[Event]) -> object:
        return precision_of_hits(found, facts.ids, facts.keys, events)

    nothing = precision_of_hits(found, facts.ids, facts.keys, [])
    assert nothing.counted == 0 and "No hit" in nothing.sentence
    some = precision_of_hits(found, facts.ids, facts.keys, [
        *said(found, study, order[:3], [RIGHT, RIGHT, WRONG]), *said(found, study, order[4:5], [WRONG]),
    ])  # fmt: skip
    assert (some.right.hits, some.right.of, some.counted, some.exact) == (2, 3, 3, False)
    assert "sampled, the first 3 of" in some.sentence and "seed 0" in some.sentence and "Wilson" in some.sentence
    everything = said(found, study, order, [RIGHT] * len(order))
    whole = precision_of_hits(found, facts.ids, facts.keys, everything)
    assert whole.exact and whole.right.share == 1 and "exact" in whole.sentence
    tied = [*everything, *said(found, study, order[:1], [WRONG], by="bob")]
    assert precision_of_hits(found, facts.ids, facts.keys, tied).unsure == 1


def test_the_command_line_stores_finds_and_measures_recall(root: Path, study: Study, entry: EvaluationEntry) -> None:
    home = root / "home"
    stored = tamis("evaluation", "store", "cli", str(root / "first.jsonl"), str(root / "second.jsonl"),
                   "--convention", "words-1", home=home).stdout  # fmt: skip
    assert entry.digest in stored and "7 items" in stored
    told = tamis("evaluation", "find", "cli", str(root / "corpus"), "--part", "prompt", home=home).stdout
    rule = rule_of(entry, parts=["prompt"])
    assert f"{len(dropped(study, rule)):,} of {study.facts.n:,} documents hold an item" in told
    assert "first: first.jsonl, row 1, prompt: 1.000" in told
    recall = tamis("evaluation", "recall", "cli", str(root / "corpus"), "--documents", "30", home=home).stdout
    assert "planted, each in 4 ways, into 30 documents" in recall and "100.0%" in recall
    bad = tamis("evaluation", "find", "nothing", str(root / "corpus"), home=home, check=False)
    assert bad.returncode == 2 and "cli" in bad.stderr


def test_a_part_of_conversations_is_compared_with_the_parts_of_conversations(tmp_path: Path) -> None:
    def talk(question: str, answer: str) -> dict[str, object]:
        return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}

    asked, told = (" ".join(f"{word}{k}" for k in range(30)) for word in ("ask", "tell"))
    rows = [talk(asked, "no"), talk("what", asked), talk(told, "yes"), talk("why", f"Well: {told}"), talk("x", "y")]
    for name, lines in (("corpus", rows), ("exam", [talk(asked, told)])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    home, corpus = Workspace(tmp_path / "home"), open_corpus(tmp_path / "corpus.jsonl")
    exam = save_evaluation(home, "exam", [tmp_path / "exam.jsonl"])
    study = Study.open(corpus, home, steps=narrow_steps(corpus, home, "tokens"))
    said = {
        (of, part): sorted(texts[row] for row in found)
        for of in (None, "prompt", "response") for part in ("prompt", "answer")
        for texts, found in [_found(study, rule_of(exam, parts=[part], of=of))]
    }  # fmt: skip
    question, answer = f"{asked}\n\nno", f"why\n\nWell: {told}"
    assert said == {
        (None, "prompt"): sorted([question, f"what\n\n{asked}"]), ("prompt", "prompt"): [question],
        ("response", "prompt"): [f"what\n\n{asked}"], (None, "answer"): sorted([f"{told}\n\nyes", answer]),
        ("prompt", "answer"): [f"{told}\n\nyes"], ("response", "answer"): [answer],
    }  # fmt: skip
    rule = rule_of(exam, parts=["answer"], of="response")
    assert hit_texts(study, find_contamination(study, rule), 0).document == f"Well: {told}"
    assert "whose response holds" in rule.sentence()


def _found(study: Study, rule: IdfDecontaminate) -> tuple[list[str], set[int]]:
    study.measure(Recipe().with_operator(rule))
    table = study.corpus.fetch(study.documents, np.arange(study.facts.n))
    return study.corpus.texts_of(table).to_pylist(), dropped(study, rule)
