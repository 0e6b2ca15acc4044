"""Tokens under a chat template: what the assistant says is under loss, and a context length cuts the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.signals.audit_tokens import chat_token_table
from tamis.analytics.signals.chat_template import compiled, messages_of, rendered_pieces, template_text
from tamis.analytics.signals.tokens import count_tokens
from tamis.analytics.steps.measures import steps_of
from tamis.analytics.steps.pipeline import analyze
from tamis.data.documents import load_column
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.parts import Parts
from tamis.data.row_parts import read_row
from tamis.data.shapes import Shape
from tamis.data.workspace import Workspace

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKED = "{% for m in messages %}{% generation %}{{ m.content | trim }}{% endgeneration %};{% endfor %}"
STRICT = (
    "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}"
    "{{ m.content }}{% endfor %}"
)
SHAPE = Shape("conversation", {"messages": "m"})


def parts_of(*rows: Any) -> Parts:
    return Parts.of([read_row(SHAPE, {"m": row}, {"m": ("m",)}) for row in rows])


def chat(*turns: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in turns]


def pieces(template: str, *turns: tuple[str, str]) -> list[tuple[str, bool]] | None:
    return rendered_pieces(compiled(template), messages_of(parts_of(chat(*turns)), 0))


def test_what_a_message_of_the_assistant_adds_after_its_prompt_is_under_loss() -> None:
    assert pieces(CHATML, ("user", "Hi"), ("assistant", "Yes"), ("user", "So?"), ("assistant", "No")) == [
        ("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", False),
        ("Yes<|im_end|>\n", True),
        ("<|im_start|>user\nSo?<|im_end|>\n<|im_start|>assistant\n", False),
        ("No<|im_end|>\n", True),
        ("", False),
    ]


def test_a_template_that_changes_what_went_before_has_the_texts_of_the_assistant_under_loss() -> None:
    counted = "{{ messages | length }}:{% for m in messages %}[{{ m.content }}]{% endfor %}"
    assert pieces(counted, ("user", "a"), ("assistant", "b"), ("user", "c")) == [
        ("3:[a][", False), ("b", True), ("][c]", False),
    ]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.text(max_size=9)), min_size=1, max_size=7)
)
def test_the_pieces_join_to_the_whole_text(turns: list[tuple[str, str]]) -> None:
    for template in (CHATML, MARKED):
        found = pieces(template, *turns)
        assert found is not None
        whole = compiled(template).render(messages=messages_of(parts_of(chat(*turns)), 0), add_generation_prompt=False)
        assert "".join(text for text, _ in found) == whole
        assert sum(mine for _, mine in found) <= sum(role == "assistant" for role, _ in turns)


def test_tokens_are_those_of_the_pieces_and_the_context_cuts_the_end() -> None:
    row = chat(("user", "one two three four"), ("assistant", "five six"))
    found = pieces(CHATML, *[(m["role"], m["content"]) for m in row])
    assert found is not None
    tokens = count_tokens(pa.array([text for text, _ in found]))
    before, loss, after = tokens.tolist()
    for context in (1, before, before + 1, before + loss, 999):
        table = chat_token_table(parts_of(row), None, template=CHATML, tokenizer="minilm-bytes", context=context)
        got = table.to_pylist()[0]
        total = before + loss + after
        assert (got["template_tokens"], got["loss_tokens"]) == (total, loss)
        assert got["cut_share"] == pytest.approx(max(total - context, 0) / total)
        assert got["cut_loss_share"] == pytest.approx(min(max(before + loss - context, 0), loss) / loss)


def test_a_conversation_that_the_template_refuses_has_no_value() -> None:
    rows = parts_of(chat(("user", "a")), chat(("user", "a"), ("tool", "b")))
    table = chat_token_table(rows, None, template=STRICT, tokenizer="minilm-bytes", context=9)
    assert [value is None for value in table.column("loss_tokens").to_pylist()] == [False, True]


def test_calls_thinking_and_tools_reach_the_template() -> None:
    template = (
        "{{ tools[0].name }}|{% for m in messages %}{{ m.reasoning_content }}{{ m.tool_calls | tojson }}{% endfor %}"
    )
    call = {"function": {"name": "f", "arguments": '{"a": 1}'}}
    row = parts_of([{"role": "assistant", "reasoning_content": "hm", "content": None, "tool_calls": [call]}])
    found = rendered_pieces(compiled(template), messages_of(row, 0), [{"name": "f"}])
    said = '[{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]'
    assert found is not None and "".join(text for text, _ in found) == f"f|hm{said}"


def test_a_template_is_found_in_the_folder_of_a_tokenizer(tmp_path: Path) -> None:
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": CHATML}), "utf-8")
    assert template_text(str(tmp_path)) == template_text(str(config)) == template_text(CHATML) == CHATML
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": MARKED}]
    config.write_text(json.dumps({"chat_template": named}), "utf-8")
    assert template_text(str(tmp_path)) == MARKED
    (tmp_path / "chat_template.jinja").write_text(STRICT, "utf-8")
    assert template_text(str(tmp_path)) == template_text(str(tmp_path / "chat_template.jinja")) == STRICT


def test_what_is_no_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="Unknown chat template"):
        template_text(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text("{}", "utf-8")
    with pytest.raises(SettingError, match="has no chat template"):
        template_text(str(tmp_path))
    with pytest.raises(SettingError, match="no Jinja template"):
        compiled("{% for %}")


def test_a_template_reaches_nothing_outside_the_messages() -> None:
    assert pieces("{{ messages.__class__.__mro__ }}", ("user", "a")) is None
    assert pieces("{% set _ = messages.append(1) %}", ("user", "a")) is None


def test_a_rule_measures_its_tokens_and_plain_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"messages": chat(("user", f"Question {n}?"), ("assistant", "word " * n))} for n in range(9)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    rule = OPERATORS.build("chat_tokens", {"template": CHATML, "min": 1, "context": 20})
    step = steps_of(rule.measures())[0]
    other = steps_of(OPERATORS.build("chat_tokens", {"template": MARKED, "min": 1, "context": 20}).measures())[0]
    assert step.params != other.params and step.params["template"] != other.params["template"]
    corpus = open_corpus(path)
    analysis = analyze(corpus, Workspace(tmp_path / "home"), steps=(step,))
    loss = load_column(analysis.artifacts[step.name], analysis.documents, "loss_tokens").to_numpy(zero_copy_only=False)
    assert np.ptp(loss) == 8
    (tmp_path / "b.jsonl").write_text('{"text": "some words of text"}\n{"text": "other words of text"}\n', "utf-8")
    with pytest.raises(SettingError, match="Only conversations"):
        analyze(open_corpus(tmp_path / "b.jsonl"), Workspace(tmp_path / "home"), steps=(step,))
