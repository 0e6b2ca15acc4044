"""Conversations are rendered as the transformers library renders them, bear loss on answers, and keep calls whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from chat_corpora import conversations
from training_corpus import built, byte_level_tokenizer, planned, study_of

from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.analytics.training.conversations import CHATML, least_tokens, render
from tamis.analytics.training.data import MESSAGE, TrainingData
from tamis.analytics.training.tokenizer import load_tokenizer
from tamis.data.errors import RecipeError, SettingError

ROWS = conversations(60)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("chat")
    return study_of(write_lines(folder / "chat.jsonl", ROWS), folder / "home", on_bad_line="skip")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(byte_level_tokenizer(tmp_path_factory.mktemp("bpe")))


def recipe_of(tokenizer: str, **pack: Any) -> Recipe:
    recipe = Recipe().with_operator("pii_redaction")
    recipe = recipe.with_operator("split", validation=0.1, together=[], share_of="documents")
    return recipe.with_operator("pack", tokenizer=tokenizer, **{"length": 256, **pack})


def documents_of(data: TrainingData) -> dict[str, dict[str, list[int]]]:
    """Return ids and mask of each document, its pieces joined, and where they are cut."""
    found: dict[str, dict[str, list[int]]] = {}
    pieces = data.pieces().to_pylist()
    at = 0
    parts: dict[str, list[tuple[int, list[int], list[int]]]] = {}
    for row in pa.Table.from_batches(data.batches(), data.schema).to_pylist():
        begin = 0
        for size in row["piece_lengths"]:
            piece = pieces[at]
            span = slice(begin, begin + size)
            mask = row.get("loss_mask", [])[span]
            parts.setdefault(piece["document_id"], []).append((piece["first_token"], row["input_ids"][span], mask))
            begin, at = begin + size, at + 1
    for name, some in parts.items():
        some.sort()
        ids, mask = ([number for part in some for number in part[k]] for k in (1, 2))
        found[name] = {"ids": ids, "mask": mask, "cuts": [first for first, _, _ in some if first]}
    return found


def test_a_rendered_conversation_is_that_of_the_transformers_library(tokenizer: str) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )
    own = load_tokenizer(tokenizer)
    search = {"type": "function", "function": {"name": "f", "parameters": {}}}
    call = {"type": "function", "function": {"name": "f", "arguments": {"x": "é"}}}
    talks: list[tuple[list[dict[str, Any]], Any]] = [
        ([{"role": "user", "content": "Hi é"}, {"role": "assistant", "content": "Hello"}], None),
        ([{"role": "user", "content": "?"}, {"role": "assistant", "content": "", "tool_calls": [call]},
          {"role": "tool", "content": "7"}, {"role": "assistant", "content": "It is 7."}], [search]),
    ]  # fmt: skip
    for template in (
        CHATML,
        "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}",
    ):
        rendered = render(talks, template, own)
        for (messages, tools), text in zip(talks, rendered.texts.to_pylist(), strict=True):
            assert text == theirs.apply_chat_template(messages, tools=tools, chat_template=template, tokenize=False)
        encoded = own.encode(rendered.texts, special=True)
        for row, text in enumerate(rendered.texts.to_pylist()):
            expected = theirs(text, add_special_tokens=False)["input_ids"]
            assert encoded.ids[encoded.offsets[row] : encoded.offsets[row + 1]].tolist() == expected


def test_loss_is_on_what_the_assistant_says_and_nothing_else(study: Study, tokenizer: str) -> None:
    whole = built(study, recipe_of(tokenizer, length=8192, separator="none"))
    library = load_tokenizer(tokenizer)._library  # type: ignore[attr-defined]
    found = {name: value for data in whole.data.values() for name, value in documents_of(data).items()}
    assert len(found) == study.facts.n
    for row in ROWS:
        if row.get("id") not in found or row.get("id", "").startswith("bad"):
            continue
        ids, mask = np.array(found[row["id"]]["ids"]), np.array(found[row["id"]]["mask"], bool)
        said = library.decode(ids[mask].tolist(), skip_special_tokens=False)
        other = library.decode(ids[~mask].tolist(), skip_special_tokens=False)
        turns = [turn for turn in row["messages"] if turn["role"] == "assistant"]
        assert said.count("<|im_end|>") == len(turns) and "<|im_start|>" not in said
        assert other.count("<|im_start|>assistant\n") == len(turns)
        for turn in turns:
            for text in filter(None, [(turn["content"] or "").replace("<think>", "").split("\n\n")[-1][-60:]]):
                assert text in said
            for call in turn.get("tool_calls", []):
                assert f'"name": "{call["function"]["name"]}"' in said
        assert "mail me at <EMAIL>" in other, "edited before it is rendered"


def test_a_conversation_is_never_cut_inside_a_call_of_tools(study: Study, tokenizer: str) -> None:
    whole = built(study, recipe_of(tokenizer, length=200))
    own, cuts = load_tokenizer(tokenizer), 0
    library = own._library  # type: ignore[attr-defined]
    for data in whole.data.values():
        for value in documents_of(data).values():
            for cut in value["cuts"]:
                before = library.decode(value["ids"][:cut], skip_special_tokens=False)
                assert before.count("<tool_call>") == before.count("</tool_call>")
                cuts += "<tool_call>" in before
    assert cuts > 5
    assert sum(summary.lost for summary in whole.summary) == 0


@pytest.mark.parametrize("method", ["best fit", "concatenate"])
def test_a_call_longer_than_a_sequence_is_lost_whole_and_counted(study: Study, tokenizer: str, method: str) -> None:
    whole = built(study, recipe_of(tokenizer, length=48, method=method))
    exact = built(study, recipe_of(tokenizer, length=8192))
    lost = sum(summary.lost for summary in whole.summary)
    total = sum(summary.tokens for summary in exact.summary)
    assert (
        lost > 0 and sum(len(v["ids"]) for d in whole.data.values() for v in documents_of(d).values()) == total - lost
    )
    for data in whole.data.values():
        for value in documents_of(data).values():
            text = load_tokenizer(tokenizer)._library.decode(value["ids"], skip_special_tokens=False)  # type: ignore[attr-defined]
            assert text.count("<tool_call>") == text.count("</tool_call>")


def test_texts_of_conversations_come_with_their_messages(study: Study) -> None:
    recipe = Recipe().with_operator("pii_redaction")
    data = built(study, recipe).data["train"]
    assert data.schema.field("messages").type == pa.list_(MESSAGE)
    rows = {row["document_id"]: row for row in pa.Table.from_batches(data.batches(), data.schema).to_pylist()}
    first = rows["c0000"]
    assert [message["role"] for message in first["messages"]][:4] == ["system", "user", "assistant", "tool"]
    assert json.loads(first["messages"][2]["tool_calls"])[0]["function"]["name"] == "search"
    assert "<EMAIL>" in first["messages"][1]["content"] and "<EMAIL>" in first["text"]


def test_a_template_that_refuses_a_conversation_leaves_it_out_and_counts_it(study: Study, tokenizer: str) -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ m.role }}: {{ m.content }}\n{% endfor %}"
    )
    whole = built(study, recipe_of(tokenizer, template=template))
    systems = sum(row["messages"][0]["role"] == "system" for row in ROWS[:60])
    assert sum(summary.refused for summary in whole.summary) == systems
    assert "c0000" not in documents_of(whole.data["train"]) | documents_of(whole.data["validation"])


def test_sequences_too_short_for_the_template_are_refused(study: Study, tokenizer: str) -> None:
    least = least_tokens(CHATML, load_tokenizer(tokenizer))
    with pytest.raises(RecipeError, match=f"too short for the chat template.*more than {least + 1} tokens"):
        planned(study, recipe_of(tokenizer, length=least + 1))
    planned(study, recipe_of(tokenizer, length=least + 2))
    with pytest.raises(SettingError, match="refuses a plain question"):
        planned(study, recipe_of(tokenizer, template="{{ raise_exception('never') }}"))
