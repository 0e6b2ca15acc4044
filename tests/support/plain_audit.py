"""The audit of one conversation in plain Python, to compare with."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tamis.analytics.signals.phrase_lists import PhraseList
from tamis.data.parts import KINDS, ROLES, MessagePart

ASIDE = ("chosen", "rejected", "answer", "context")


def plain_audit(
    parts: Sequence[MessagePart], kind: str, declared: dict[str, Any] | None, refusals: PhraseList, identity: PhraseList
) -> dict[str, float | None]:
    """Return the signals of a row, but for the language of the answer."""
    role = [ROLES[part.role] for part in parts]
    what = [KINDS[part.kind] for part in parts]
    turns = [[at for at, _ in held] for _, held in groupby(enumerate(parts), lambda pair: pair[1].turn)]
    own = [turn for turn in turns if role[turn[0]] not in ASIDE]
    roles = [role[turn[0]] for turn in own]
    spoken = [each for each in roles if each != "system"]
    after = [(roles[at - 1], roles[at], what[own[at][0]]) for at in range(1, len(own))]
    empty = [turn for turn in turns if not any(_is_filled(parts[at], what[at]) for at in turn)]
    found: dict[str, float | None] = {
        "n_turns": len(own),
        "n_user_turns": roles.count("user"),
        "n_assistant_turns": roles.count("assistant"),
        "n_system_turns": roles.count("system"),
        "starts_with_assistant": spoken[:1] == ["assistant"],
        "repeated_role": sum(a == b and b not in ("tool", "other") and k != "tool_call" for a, b, k in after),
        "ends_with_user": roles[-1:] == ["user"] if kind == "conversation" else None,
        "unknown_role": roles.count("other"),
        "empty_turns": len(empty),
        "unclosed_thinking": sum(_unclosed(part, role[at], what[at]) for at, part in enumerate(parts)),
        "empty_thinking": sum(_empty_thinking(part, role[at], what[at]) for at, part in enumerate(parts)),
    }
    found |= _answers(parts, role, what, refusals, identity)
    return found | _tools(parts, role, what, turns, declared)


def _is_filled(part: MessagePart, what: str) -> bool:
    return bool(part.text.strip()) or what in ("tool_call", "image")


def _unclosed(part: MessagePart, role: str, what: str) -> int:
    if role not in ("assistant", "chosen", "rejected"):
        return 0
    return int(part.unclosed) or (
        abs(part.text.count("<think>") - part.text.count("</think>")) if what == "text" else 0
    )


def _empty_thinking(part: MessagePart, role: str, what: str) -> int:
    if what == "thinking":
        return int(not part.text.strip())
    said = role in ("assistant", "chosen", "rejected") and what == "text"
    return len(re.findall(r"<think>\s*</think>", part.text)) if said else 0


def _answers(
    parts: Sequence[MessagePart], role: list[str], what: list[str], refusals: PhraseList, identity: PhraseList
) -> dict[str, float | None]:
    said = [part.text for at, part in enumerate(parts) if role[at] in ("assistant", "chosen") and what[at] == "text"]
    side = "chosen" if "chosen" in role else "assistant"
    last = max((part.turn for at, part in enumerate(parts) if role[at] == "assistant"), default=-1)
    mine = [
        part for at, part in enumerate(parts)
        if role[at] == side and what[at] == "text" and (side == "chosen" or part.turn == last)
    ]  # fmt: skip
    found: dict[str, float | None] = {
        "refusals": sum(refusals.find(text) is not None for text in said),
        "foreign_identity": sum(identity.find(text) is not None for text in said),
        "truncated_answer": False,
        "repeats_question": None,
        "answer_prompt_ratio": None,
    }
    if not mine:
        return found
    answer = "\n\n".join(part.text for part in mine if part.text)
    asked = [p for at, p in enumerate(parts) if role[at] == "user" and what[at] == "text" and p.turn < mine[0].turn]
    question = "\n\n".join(p.text for p in asked if p.turn == asked[-1].turn and p.text)
    grams, others = _grams(question), set(_grams(answer))
    limit = parts[-1].turn + 1 if side == "chosen" else last if last >= 0 else parts[-1].turn + 1
    before = sum(
        len(p.text) for at, p in enumerate(parts) if p.turn < limit and role[at] not in ("chosen", "rejected", "answer")
    )
    return found | {
        "truncated_answer": _is_cut(answer),
        "repeats_question": sum(gram in others for gram in grams) / len(grams) if grams else None,
        "answer_prompt_ratio": len(answer) / before if before else None,
    }


def _grams(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+|[^\w\s]+", text.lower())  # of texts without control characters
    return [tuple(words[at : at + 3]) for at in range(len(words) - 2)]


def _is_cut(answer: str) -> bool:
    text = answer.rstrip()
    if text.count("```") % 2:
        return True
    if len(text) < 100:
        return False
    line, end = text.split("\n")[-1], text[-1]
    brackets = sum(line.count(mark) for mark in "([{") - sum(line.count(mark) for mark in ")]}")
    if brackets > 0 and end not in "?!。！？….\"'”’»`":
        return True
    item = re.match(r"\s*([-*+•#|>]|[0-9]+[.)])", line)
    letter = unicodedata.category(end)[0] in "LMN" and not 0x0E00 <= ord(end) < 0x0F00
    return len(line) >= 40 and item is None and (letter or end in ",;:([{-–—/&")


def _tools(
    parts: Sequence[MessagePart],
    role: list[str],
    what: list[str],
    turns: list[list[int]],
    declared: dict[str, Any] | None,
) -> dict[str, float | None]:
    names = ("calls_without_result", "results_without_call", "invalid_arguments", "repeated_calls", "n_tool_calls")
    found: dict[str, float | None] = dict.fromkeys(names, 0)
    used = [
        (at, part)
        for at, part in enumerate(parts)
        if what[at] in ("tool_call", "tool_result") and role[at] != "rejected"
    ]
    for place in range(len(used) - 1, 0, -1):
        (before, first), (at, second) = used[place - 1], used[place]
        if what[before] == what[at] == "tool_result" and (first.turn, first.call) == (second.turn, second.call):
            used[place - 1 : place + 1] = [(before, first._replace(text=f"{first.text}\n\n{second.text}"))]
    waiting: list[tuple[str, str, str]] = []
    replies: dict[tuple[str, str], list[str]] = {}
    undeclared = 0
    for at, part in used:
        if what[at] == "tool_call":
            name, _, arguments = part.text.strip().partition(" ")
            try:
                value = json.loads(arguments) if arguments else None
                spelt = json.dumps(value, sort_keys=True, ensure_ascii=False)
                found["invalid_arguments"] += not (value is None or isinstance(value, dict))  # type: ignore[operator]
            except ValueError:
                spelt = arguments
                found["invalid_arguments"] += 1  # type: ignore[operator]
            undeclared += name not in (declared or {})
            last = replies.get((name, spelt), [])[-2:]
            found["repeated_calls"] += len(last) == 2 and last[0] == last[1]  # type: ignore[operator]
            found["n_tool_calls"] += 1  # type: ignore[operator]
            waiting.append((part.call, name, spelt))
            continue
        fits = [w for w in waiting if w[0] == part.call] if part.call else list(waiting)
        fits = fits or [w for w in waiting if not w[0]]
        if not fits:
            found["results_without_call"] += 1  # type: ignore[operator]
            continue
        waiting.remove(fits[0])
        replies.setdefault(fits[0][1:], []).append(part.text)
    found["calls_without_result"] = len(waiting)
    ending = [turn for turn in turns if role[turn[0]] != "rejected"][-1:]
    found["ends_with_call"] = any(what[at] == "tool_call" for turn in ending for at in turn)
    found["undeclared_tools"] = None if declared is None else undeclared
    return found
