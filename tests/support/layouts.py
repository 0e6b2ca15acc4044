"""Layouts of rows met in the wild: rows, and the parts that the first row has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Said = tuple[str, str, str]


@dataclass(frozen=True)
class Layout:
    """One layout.

    Attributes:
        name: what it is, as in the table of docs/shapes.md.
        rows: some rows.
        parts: (role, kind, text) of the parts of the first row, in order.
        shape: kind of the shape it opens with by itself; empty if it is refused.
    """

    name: str
    rows: tuple[Row, ...]
    parts: tuple[Said, ...]
    shape: str = "conversation"


def chat(*turns: tuple[str, Any]) -> list[Row]:
    return [{"role": role, "content": content} for role, content in turns]


def share(*turns: tuple[str, Any]) -> list[Row]:
    return [{"from": role, "value": content} for role, content in turns]


def many(make: Any, count: int = 6) -> tuple[Row, ...]:
    return tuple(make(n) for n in range(count))


def _called(n: int) -> Row:
    call = {"id": f"c{n}", "type": "function", "function": {"name": "weather", "arguments": f'{{"town": "Ulm {n}"}}'}}
    return {
        "messages": [
            {"role": "user", "content": f"Weather in town {n}?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{n}", "content": "sunny"},
            {"role": "assistant", "content": "It is sunny."},
        ],
        "tools": json.dumps([{"type": "function", "function": {"name": "weather"}}]),
    }


def _pictured(n: int) -> Row:
    image = {"type": "image_url", "image_url": {"url": f"cat-{n}.png"}}
    return {
        "messages": chat(
            ("user", [{"type": "text", "text": f"What is in picture {n}?"}, image]),
            ("assistant", [{"type": "text", "text": "A cat."}]),
        )
    }


def _thought(n: int) -> Row:
    return {
        "messages": [
            {"role": "user", "content": f"What is {n} plus {n}?"},
            {"role": "assistant", "content": f"<think>\ntwice {n}\n</think>\n\nIt is {n + n}."},
            {"role": "user", "content": "Sure?"},
            {"role": "assistant", "reasoning_content": "I am.", "content": "Yes."},
        ]
    }


def session_events(n: int) -> list[Row]:
    """Return the events of a session of an agent: nested messages, calls of tools, and what is no turn."""
    call = {"type": "tool_use", "id": f"t{n}", "name": "Bash", "input": {"command": f"ls {n}", "limit": 3}}
    result = {"type": "tool_result", "tool_use_id": f"t{n}", "content": f"a{n}.txt"}
    return [
        {"type": "summary", "summary": "what was done", "leafUuid": "u9"},
        {"type": "user", "uuid": "u1", "message": {"role": "user", "content": f"Which files are in folder {n}?"}},
        {"type": "assistant", "uuid": "u2", "message": {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "I look."}, {"type": "text", "text": "I look for them."}]}},
        {"type": "assistant", "uuid": "u3", "message": {"role": "assistant", "content": [call]}},
        {"type": "user", "uuid": "u4", "message": {"role": "user", "content": [result]}, "toolUseResult": {"code": 0}},
        {"type": "assistant", "uuid": "u5", "message": {"role": "assistant", "content": "One file."}},
    ]  # fmt: skip


def _session(n: int) -> str:
    return f"<|im_start|>user\nHello {n}<|im_end|>\n<|im_start|>assistant\nGood day.<|im_end|>\n"


_U, _A, _T = "user", "assistant", "text"

LAYOUTS = (
    Layout(
        "messages: role, content",
        many(
            lambda n: {
                "messages": chat(("user", f"How do I boil {n} eggs?"), ("assistant", "In water.")),
                "source": "w",
            }
        ),
        ((_U, _T, "How do I boil 0 eggs?"), (_A, _T, "In water.")),
    ),
    Layout(
        "messages with calls of tools",
        many(_called),
        (
            (_U, _T, "Weather in town 0?"),
            (_A, "tool_call", 'weather {"town": "Ulm 0"}'),
            ("tool", "tool_result", "sunny"),
            (_A, _T, "It is sunny."),
        ),
    ),
    Layout(
        "messages with content parts",
        many(_pictured),
        ((_U, _T, "What is in picture 0?"), (_U, "image", ""), (_A, _T, "A cat.")),
    ),
    Layout(
        "messages with thinking",
        many(_thought),
        (
            (_U, _T, "What is 0 plus 0?"),
            (_A, "thinking", "twice 0"),
            (_A, _T, "It is 0."),
            (_U, _T, "Sure?"),
            (_A, "thinking", "I am."),
            (_A, _T, "Yes."),
        ),
    ),
    Layout(
        "ShareGPT: conversations with from, value",
        many(
            lambda n: {
                "id": f"x{n}",
                "system": "Be kind.",
                "conversations": share(
                    ("human", f"Hi {n}"),
                    ("gpt", "Hello."),
                    ("function_call", "{}"),
                    ("observation", "[]"),
                    ("bard", "Bye."),
                ),
            }
        ),
        (
            ("system", _T, "Be kind."),
            (_U, _T, "Hi 0"),
            (_A, _T, "Hello."),
            (_A, "tool_call", "{}"),
            ("tool", "tool_result", "[]"),
            (_A, _T, "Bye."),
        ),
    ),
    Layout(
        "Alpaca: instruction, input, output, system, history",
        many(
            lambda n: {
                "instruction": f"Translate sentence {n}.",
                "input": "Guten Tag" if n % 2 == 0 else "",
                "output": "Good day",
                "system": "Be brief.",
                "history": [["Hi", "Hello"]] if n < 3 else [],
            }
        ),
        (
            ("system", _T, "Be brief."),
            (_U, _T, "Hi"),
            (_A, _T, "Hello"),
            (_U, _T, "Translate sentence 0."),
            (_U, _T, "Guten Tag"),
            (_A, _T, "Good day"),
        ),
    ),
    Layout(
        "prompt, completion as text",
        many(lambda n: {"prompt": f"Once upon a time {n}", "completion": " there was a king"}),
        ((_U, _T, "Once upon a time 0"), (_A, _T, " there was a king")),
    ),
    Layout(
        "prompt, completion as messages",
        many(lambda n: {"prompt": chat(("user", f"Hello {n}")), "completion": chat(("assistant", "Hi."))}),
        ((_U, _T, "Hello 0"), (_A, _T, "Hi.")),
    ),
    Layout(
        "question, answer",
        many(lambda n: {"question": f"Why {n}?", "answer": "Because."}),
        ((_U, _T, "Why 0?"), (_A, _T, "Because.")),
    ),
    Layout(
        "query, response",
        many(lambda n: {"query": f"Why {n}?", "response": "Because.", "id": f"q{n}"}),
        ((_U, _T, "Why 0?"), (_A, _T, "Because.")),
    ),
    Layout(
        "problem, solution",
        many(lambda n: {"problem": f"Solve x = {n}.", "solution": f"x is {n}"}),
        ((_U, _T, "Solve x = 0."), (_A, _T, "x is 0")),
    ),
    Layout(
        "preference: prompt, chosen, rejected as text",
        many(lambda n: {"prompt": f"Say {n}", "chosen": f"good {n}", "rejected": f"bad {n}"}),
        ((_U, _T, "Say 0"), ("chosen", _T, "good 0"), ("rejected", _T, "bad 0")),
        "preference",
    ),
    Layout(
        "preference: chosen, rejected as messages that begin alike",
        many(
            lambda n: {
                "chosen": chat(("user", f"Say {n}"), ("assistant", "good")),
                "rejected": chat(("user", f"Say {n}"), ("assistant", "bad")),
            }
        ),
        ((_U, _T, "Say 0"), ("chosen", _T, "good"), ("rejected", _T, "bad")),
        "preference",
    ),
    Layout(
        "preference: prompt as messages, chosen, rejected as messages",
        many(
            lambda n: {
                "prompt": chat(("user", f"Say {n}")),
                "chosen": chat(("assistant", "good")),
                "rejected": chat(("assistant", "bad")),
            }
        ),
        ((_U, _T, "Say 0"), ("chosen", _T, "good"), ("rejected", _T, "bad")),
        "preference",
    ),
    Layout(
        "preference: prompt, responses, scores",
        many(lambda n: {"prompt": f"Say {n}", "responses": ["so so", "good", "bad"], "scores": [0.5, 0.9, 0.1]}),
        ((_U, _T, "Say 0"), ("answer", _T, "so so"), ("chosen", _T, "good"), ("rejected", _T, "bad")),
        "preference",
    ),
    Layout(
        "prompt, completion, label",
        many(lambda n: {"prompt": f"Say {n}", "completion": "good", "label": n % 2 == 0}),
        ((_U, _T, "Say 0"), (_A, _T, "good")),
    ),
    Layout(
        "prompt as messages, reward_model.ground_truth, data_source",
        many(
            lambda n: {
                "prompt": chat(("user", f"What is {n} + 1?")),
                "reward_model": {"style": "rule", "ground_truth": str(n + 1)},
                "data_source": "sums",
            }
        ),
        ((_U, _T, "What is 0 + 1?"), ("answer", _T, "1")),
        "prompt",
    ),
    Layout(
        "prompt as text, answer, data_source",
        many(lambda n: {"prompt": f"What is {n} + 1?", "answer": str(n + 1), "data_source": "sums"}),
        ((_U, _T, "What is 0 + 1?"), ("answer", _T, "1")),
        "prompt",
    ),
    Layout(
        "input as messages, output as text",
        many(lambda n: {"input": chat(("system", "Be brief."), ("user", f"Why {n}?")), "output": "Because."}),
        (("system", _T, "Be brief."), (_U, _T, "Why 0?"), (_A, _T, "Because.")),
    ),
    Layout(
        "dialog: list of texts",
        many(lambda n: {"dialog": [f"Hi {n}", "Hello", "Bye"]}),
        ((_U, _T, "Hi 0"), (_A, _T, "Hello"), (_U, _T, "Bye")),
    ),
    Layout("text that a template rendered", many(lambda n: {"text": _session(n)}), ((_U, _T, "Hello 0"),), "text"),
    Layout(
        "source code: content, path",
        many(lambda n: {"content": f"def f():\n    return {n}\n", "path": f"a{n}.py", "lang": "python"}),
        (),
        "text",
    ),
    Layout(
        "context, question, answers",
        many(
            lambda n: {
                "context": f"King {n} lives in the castle.",
                "question": "Where does he live?",
                "answers": {"text": ["castle", "the castle"], "answer_start": [1, 2]},
            }
        ),
        (
            ("other", _T, "King 0 lives in the castle."),
            ("other", _T, "Where does he live?"),
            ("other", _T, "castle"),
            ("other", _T, "the castle"),
        ),
        "template",
    ),
    Layout(
        "translation",
        many(lambda n: {"translation": {"en": f"Good day {n}", "de": f"Guten Tag {n}"}}),
        (("other", _T, "Guten Tag 0"), ("other", _T, "Good day 0")),
        "template",
    ),
    Layout(
        "article, summary",
        many(lambda n: {"article": f"A long story {n}.", "summary": "short"}),
        (("other", _T, "A long story 0."), ("other", _T, "short")),
        "template",
    ),
    Layout(
        "sessions of agents: events",
        many(lambda n: {"events": json.dumps(session_events(n))}),
        (
            (_U, _T, "Which files are in folder 0?"),
            (_A, "thinking", "I look."),
            (_A, _T, "I look for them."),
            (_A, "tool_call", 'Bash {"command":"ls 0","limit":3}'),
            ("tool", "tool_result", "a0.txt"),
            (_A, _T, "One file."),
        ),
    ),
    Layout("input_ids alone", many(lambda n: {"input_ids": [1, 2, n]}), (), ""),
)
