"""The parts of one message, in every form that chat data uses: text, content parts, thinking, calls of tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tamis.data.parts import (
    ASSISTANT,
    IMAGE,
    OTHER,
    SYSTEM,
    TEXT,
    THINKING,
    TOOL,
    TOOL_CALL,
    TOOL_RESULT,
    USER,
    MessagePart,
)

Path = tuple[str | int, ...]

JSON = "json()"
"""In a path: the string so far is JSON text, and the path goes on inside."""

ROLE_WORDS: dict[str, tuple[int, int]] = {
    "system": (SYSTEM, TEXT), "developer": (SYSTEM, TEXT),
    "user": (USER, TEXT), "human": (USER, TEXT), "prompter": (USER, TEXT),
    "assistant": (ASSISTANT, TEXT), "gpt": (ASSISTANT, TEXT), "chatgpt": (ASSISTANT, TEXT), "bing": (ASSISTANT, TEXT),
    "bard": (ASSISTANT, TEXT), "model": (ASSISTANT, TEXT), "bot": (ASSISTANT, TEXT), "ai": (ASSISTANT, TEXT),
    "function_call": (ASSISTANT, TOOL_CALL), "tool_call": (ASSISTANT, TOOL_CALL),
    "tool": (TOOL, TOOL_RESULT), "function": (TOOL, TOOL_RESULT), "observation": (TOOL, TOOL_RESULT),
    "tool_response": (TOOL, TOOL_RESULT), "function_response": (TOOL, TOOL_RESULT), "ipython": (TOOL, TOOL_RESULT),
}  # fmt: skip
"""Words for roles, in lower case, as (role, kind of its text); any other word is the role ``other``."""

THINKING_KEYS = ("reasoning_content", "thinking", "reasoning")
CALL_KEYS = ("tool_calls", "function_call")
_TEXT_TYPES = ("text", "input_text", "output_text", "refusal")
_THINKING_TYPES = ("thinking", "reasoning", "redacted_thinking")
_REFERENCES = ("image_url", "image", "input_image", "video", "video_url", "audio", "input_audio", "file", "document")
THINK_OPEN = "<think>"
THINK_CLOSE = "</think>"
_CLOSED = re.compile(r"\s*</think>")
_TAGS = {
    TOOL_CALL: re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL),
    TOOL_RESULT: re.compile(r"<tool_response>(.*?)(?:</tool_response>|\Z)", re.DOTALL),
}
TAG_OPEN = r"<tool_(call|response)>"
_THINK = re.compile(r"<think>(.*?)(?:</think>|\Z)", re.DOTALL)


class MalformedError(Exception):
    """A row is no document; the message is the reason."""


def compact(value: Any) -> str:
    """Return compact JSON, keys in their order, without the fields that are NULL in a struct of many kinds."""
    return json.dumps(_without_nulls(value), ensure_ascii=False, separators=(",", ":"), default=str)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def json_list(text: str) -> list[Any] | None:
    """Return the list that a text states as JSON, None for any other text."""
    if text.lstrip()[:1] != "[":
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def json_objects(text: str) -> list[Any] | None:
    """Return the objects that a text states as a JSON list, None for any other text and an empty list."""
    value = json_list(text)
    return value if value and all(isinstance(item, dict) for item in value) else None


def split_thinking(text: str) -> list[tuple[int, tuple[int, int]]]:
    """Return kind and span of the pieces of an assistant's text, without white space around them."""
    found, at = [], 0
    for match in _THINK.finditer(text):
        found += [(TEXT, (at, match.start())), (THINKING, match.span(1))]
        at = match.end()
    found.append((TEXT, (at, len(text))))
    trimmed = [(kind, _trimmed(text, span)) for kind, span in found]
    return [(kind, span) for kind, span in trimmed if kind == THINKING or span[0] < span[1]]


def split_tagged(text: str, kind: int) -> list[tuple[int, tuple[int, int]]]:
    """Return kind and span of the pieces of a text: what stands in tags of a kind, and the text around them.

    Args:
        text: of a message.
        kind: ``TOOL_CALL`` or ``TOOL_RESULT``.
    """
    found, at = [], 0
    for match in _TAGS[kind].finditer(text):
        found += [(TEXT, (at, match.start())), (kind, match.span(1))]
        at = match.end()
    found.append((TEXT, (at, len(text))))
    trimmed = [(each, _trimmed(text, span)) for each, span in found]
    return [(each, span) for each, span in trimmed if each == kind or span[0] < span[1]]


def pieces_of(text: str, role: int, *, tagged: bool) -> list[tuple[int, tuple[int, int]]] | None:
    """Return kind and span of the pieces of a message's text, None for a text that is one piece.

    Args:
        text: of the message.
        role: of the message.
        tagged: whether tags state calls of tools, of the assistant, and their results, of users and tools.
    """
    thinks = THINK_OPEN in text
    within = {ASSISTANT: TOOL_CALL, USER: TOOL_RESULT, TOOL: TOOL_RESULT}.get(role, TEXT) if tagged else TEXT
    tags = within != TEXT and _TAGS[within].search(text) is not None
    if not (thinks or tags):
        return None
    pieces = split_thinking(text) if thinks else [(TEXT, (0, len(text)))]
    if not tags:
        return pieces
    found = []
    for kind, (begin, end) in pieces:
        if kind != TEXT:
            found.append((kind, (begin, end)))
            continue
        inner = split_tagged(text[begin:end], within)
        found += [(each, (begin + span[0], begin + span[1])) for each, span in inner]
    return found


def json_object(text: str) -> Mapping[str, Any] | None:
    """Return the object that a text states as JSON, None for any other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def piece_part(text: str, kind: int, span: tuple[int, int], whole: MessagePart) -> MessagePart:
    """Return the part that a piece of a text is, given the part that the whole text would be."""
    said = text[span[0] : span[1]]
    if kind == TOOL_CALL:
        call = json_object(said)
        return whole._replace(kind=kind, text=said if call is None else call_text(call), span=span)
    role = TOOL if kind == TOOL_RESULT else whole.role
    kind = kind or whole.kind
    return whole._replace(role=role, kind=kind, text=said, span=span, unclosed=is_unclosed(text, kind, span))


def is_unclosed(text: str, kind: int, span: tuple[int, int]) -> bool:
    """Say whether a piece that ``split_thinking`` found is thinking whose end is not marked."""
    return kind == THINKING and _CLOSED.match(text, span[1]) is None


def _trimmed(text: str, span: tuple[int, int]) -> tuple[int, int]:
    inside = text[span[0] : span[1]]
    left = len(inside) - len(inside.lstrip())
    return span[0] + left, max(span[0] + left, span[0] + len(inside.rstrip()))


def role_word(word: str) -> tuple[int, int]:
    """Return the role that a word names, and the kind of its text."""
    return ROLE_WORDS.get(word.strip().lower(), (OTHER, TEXT))


def role_of(word: Any) -> int:
    """Return the role that a word names, ``OTHER`` for what is no word."""
    return role_word(word)[0] if isinstance(word, str) else OTHER


def message_parts(
    message: Any, turn: int, path: Path, role_key: str, text_key: str, *, tagged: bool = False
) -> Iterator[MessagePart]:
    """Yield the parts of a message: thinking, text, calls of tools; with ``tagged`` also those in tags.

    A message may be JSON text: so ``datasets`` stores messages whose calls differ in their arguments.

    Raises:
        MalformedError: it is no object, states no role, or its text is none.
    """
    number = turn + 1
    if isinstance(message, str) and (stated := json_object(message)) is not None:
        message, path = stated, (*path, JSON)
    if not isinstance(message, Mapping):
        raise MalformedError(f"message {number} is {name_of(message)}, not an object")
    word = message.get(role_key)
    if not isinstance(word, str) or not word.strip():
        said = "has no role" if word is None or isinstance(word, str) else f"has {name_of(word)} as its role"
        raise MalformedError(f"message {number} {said} ({role_key})")
    role, kind = role_word(word)
    for key in THINKING_KEYS:
        thought = message.get(key)
        if isinstance(thought, str) and thought and key != text_key:
            yield MessagePart(role, THINKING, thought, turn, word, (*path, key))
    calls = [(call, where) for key in CALL_KEYS for call, where in _calls(message.get(key), (*path, key))]
    content = message.get(text_key)
    answered = text_field(message, "tool_call_id")
    if content is None and not calls:
        yield MessagePart(role, kind, "", turn, word, (*path, text_key))
    elif content is not None:
        for part in content_parts(content, role, kind, turn, word, (*path, text_key), tagged=tagged):
            yield part._replace(call=answered) if answered and not part.call else part
    for call, where in calls:
        yield MessagePart(role, TOOL_CALL, call_text(call), turn, word, where, call=text_field(call, "id"))


def text_field(value: Mapping[str, Any], *keys: str) -> str:
    """Return the first of some fields that is text, empty where none is."""
    return next((held for key in keys if isinstance(held := value.get(key), str)), "")


def content_parts(
    content: Any, role: int, kind: int, turn: int, word: str, path: Path, *, tagged: bool = False
) -> Iterator[MessagePart]:
    """Yield the parts of the content of a message: text, or a list of parts.

    Raises:
        MalformedError: it is neither.
    """
    if isinstance(content, str):
        inner = json_objects(content)
        if inner is not None and all(isinstance(item.get("type"), str) for item in inner):
            yield from content_parts(inner, role, kind, turn, word, (*path, JSON), tagged=tagged)
        elif (pieces := pieces_of(content, role, tagged=tagged)) is not None:
            for each, span in pieces:
                yield piece_part(content, each, span, MessagePart(role, kind, "", turn, word, path))
        else:
            yield MessagePart(role, kind, content, turn, word, path)
    elif isinstance(content, list):
        if not content:
            yield MessagePart(role, kind, "", turn, word, path)
        for at, item in enumerate(content):
            yield from _content_part(item, role, kind, turn, word, (*path, at))
    elif isinstance(content, Mapping) and isinstance(content.get("type"), str):
        yield from _content_part(content, role, kind, turn, word, path)
    else:
        raise MalformedError(f"message {turn + 1} has {name_of(content)} as its text")


def _content_part(item: Any, role: int, kind: int, turn: int, word: str, path: Path) -> Iterator[MessagePart]:
    if isinstance(item, str):
        yield MessagePart(role, kind, item, turn, word, path)
        return
    if not isinstance(item, Mapping):
        raise MalformedError(f"message {turn + 1} has {name_of(item)} inside its text")
    name = item.get("type")
    if name in _REFERENCES:
        yield MessagePart(role, IMAGE, "", turn, word, path)
    elif name == "tool_use":
        yield MessagePart(role, TOOL_CALL, call_text(item), turn, word, path, call=text_field(item, "id"))
    elif name == "tool_result":
        inner = item.get("content")
        for part in content_parts("" if inner is None else inner, TOOL, TOOL_RESULT, turn, word, (*path, "content")):
            yield part._replace(call=text_field(item, "tool_use_id"))
    else:
        key = next(
            (key for key in ("text", "thinking", "reasoning", "refusal") if isinstance(item.get(key), str)), None
        )
        if key is None or not (name is None or name in (*_TEXT_TYPES, *_THINKING_TYPES)):
            raise MalformedError(f"message {turn + 1} has a part of the unknown type {name!r}")
        yield MessagePart(role, THINKING if name in _THINKING_TYPES else kind, item[key], turn, word, (*path, key))


def _calls(value: Any, path: Path) -> list[tuple[Mapping[str, Any], Path]]:
    """Return the calls in a field of a message, with the path of each."""
    if isinstance(value, str):
        listed = json_objects(value)
        return [] if listed is None else [(call, (*path, JSON, at)) for at, call in enumerate(listed)]
    if isinstance(value, Mapping):
        return [(value, path)] if any(item is not None for item in value.values()) else []
    items = value if isinstance(value, list) else []
    return [(call, (*path, at)) for at, call in enumerate(items) if isinstance(call, Mapping)]


def call_name(call: Mapping[str, Any]) -> str:
    """Return the name of the tool that is called, empty if the call states none."""
    inner = call.get("function")
    name = (inner if isinstance(inner, Mapping) else call).get("name")
    return name if isinstance(name, str) else ""


def call_arguments(call: Mapping[str, Any]) -> Any:
    """Return the arguments of a call: JSON text or a value, None if there are none."""
    inner = call.get("function")
    held = inner if isinstance(inner, Mapping) else call
    return next((held[key] for key in ("arguments", "input", "parameters") if held.get(key) is not None), None)


def call_text(call: Mapping[str, Any]) -> str:
    """Return a call as text: its name, a space, its arguments as compact JSON."""
    arguments = call_arguments(call)
    said = arguments if isinstance(arguments, str) else "" if arguments is None else compact(arguments)
    return f"{call_name(call)} {said}".strip()


def name_of(value: Any) -> str:
    """Return the type of a JSON value in words."""
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)
