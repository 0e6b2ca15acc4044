"""Lines of low quality: the score is the plain formula, prose stays, and cut texts teach a model more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from generated_texts import generated_texts
from narrow_analysis import narrow_steps
from planted import Domain, invented

from tamis.analytics.duplicates.boilerplate import Passages
from tamis.analytics.operators.line_scores import line_scores, loss
from tamis.analytics.operators.lines import LineQuality
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.analytics.text.characters import TERMINAL, UNSPACED, character_classes
from tamis.analytics.text.trigram_model import NgramModel, bits_per_byte
from tamis.analytics.text.word_stream import Vocabulary, WordHashes
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

PROSE = "The keeper climbs the stairs at dusk and lights the lamp."
POOR = ["Home | About | Contact", "3 likes", "SIGN IN NOW", "12 44 19 80 3", "* * *", "Menu"]


def _scores(*lines: str) -> list[float]:
    return [float(line_scores(Passages.of(pa.array([line]), unit="line"))[0]) for line in lines]


def _plain(line: str) -> float:
    classes = character_classes()
    shown = [mark for mark in line if not mark.isspace()]
    letters = [mark for mark in shown if mark.isalpha()]
    marks = sum(bool(classes[ord(mark)] & (1 << 20)) for mark in shown)
    unspaced = sum(bool(classes[ord(mark)] & UNSPACED) for mark in shown)
    spaced = "".join(" " if classes[ord(mark)] & UNSPACED else mark for mark in line)
    words = sum(any(mark.isalnum() for mark in word) for word in spaced.split()) + unspaced / 2
    upper = sum(mark.isupper() for mark in letters) / len(letters) if letters else 0.0
    ending = 1.0 if classes[ord(shown[-1])] & TERMINAL else 0.7
    return (len(letters) + marks) / len(shown) * words / (words + 3) * ending * min(1.0, 2 - 2 * upper)


def test_the_score_is_the_plain_formula() -> None:
    lines = {line for text in generated_texts(40, seed=3) for line in text.split("\n") if line.strip()}
    spaced = [line for line in sorted(lines) if not any(character_classes()[ord(m)] & UNSPACED for m in line)]
    assert len(spaced) > 50
    for line in [*spaced, *POOR, PROSE, "東京の朝は早い。"]:
        assert _scores(line)[0] == pytest.approx(_plain(line)), line


def test_prose_of_any_script_stays_and_what_surrounds_it_goes() -> None:
    prose = [
        PROSE,
        "東京の朝はとても静かで、人は少ない。",
        "Der Wärter steigt abends die Treppe hinauf.",
        "Она читает книгу у окна.",
    ]
    assert min(_scores(*prose)) > 0.45
    assert max(_scores(*POOR)) < 0.35
    text = f"Menu\n3 likes\n\n{PROSE}\n{PROSE}\n12 44 19"
    after = LineQuality(below=0.3).edit(pa.array([text, None, ""], pa.large_string())).to_pylist()
    assert after == [f"\n{PROSE}\n{PROSE}\n", None, ""]


def test_the_rule_drops_documents_that_the_step_would_cut_most(tmp_path: Path) -> None:
    texts = [PROSE, f"{PROSE}\nMenu", "\n".join(POOR), f"{PROSE}\n" + "\n".join(POOR * 3), "\n \n"]
    pq.write_table(pa.table({"id": list("abcde"), "text": texts}), tmp_path / "corpus.parquet")
    corpus, workspace = open_corpus(tmp_path / "corpus.parquet"), Workspace(tmp_path / "home")
    study = Study.open(corpus, workspace, steps=narrow_steps(corpus, workspace, "columns"))
    recipe = Recipe().with_operator(OPERATORS.build("line_loss", {"share": 0.3, "below": 0.35}))
    study.measure(recipe)
    assert study.evaluate(recipe).copies.tolist() == [1, 1, 0, 0, 1]
    shares = loss(pa.array(texts), 0.35).to_pylist()
    assert shares[0] == 0 and shares[2] == 1 and shares[4] is None
    assert shares[1] == pytest.approx(4 / (len(PROSE) + 5), rel=1e-6)


def test_a_model_of_cut_texts_needs_fewer_bits_for_prose_at_the_same_bytes() -> None:
    """Planted: prose of one domain between menus and counters; the best lines are known."""
    random = np.random.default_rng(5)
    domain = Domain("harbour", invented(300, np.random.default_rng(0)), words=300)
    labels = invented(60, random)

    def poor() -> str:
        return " | ".join(str(word).upper() for word in random.choice(labels, 3)) + f" {random.integers(99)}"

    prose = [domain.text(random, 15) for _ in range(900)]
    mixed = ["\n".join([poor(), prose[3 * k], poor(), prose[3 * k + 1], poor()]) for k in range(250)]
    cut = LineQuality().edit(pa.array(mixed, pa.large_string()))
    assert all(text.count("\n") == 2 for text in cut.to_pylist())
    test = WordHashes.of(pa.array(prose[800:], pa.large_string()))
    before, after = WordHashes.of(pa.array(mixed, pa.large_string())), WordHashes.of(cut)
    vocabulary = Vocabulary.of([before])
    unseen, budget = vocabulary.encode(test), int(after.bytes.sum() * 0.6)

    def cost(hashes: WordHashes) -> float:
        stream = vocabulary.encode(hashes.take(np.flatnonzero(np.cumsum(hashes.bytes) <= budget)))
        model = NgramModel.train(stream, np.ones(len(stream), dtype=np.int32))
        return bits_per_byte(model.bits(unseen), unseen)

    assert cost(after) < cost(before) - 0.05
