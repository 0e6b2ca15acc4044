"""The events of an agent's session as parts of a conversation, and their texts put back.

An event is an object with a ``type``. What it says stands in a nested message (``message: {role, content}``), in the
event itself (``{"type": "tool_use", "name": ..., "input": ...}``), or in its ``payload``, which is an event again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tamis.data.message import (
    ROLE_WORDS,
    MalformedError,
    Path,
    call_text,
    compact,
    content_parts,
    message_parts,
    name_of,
    text_field,
)
from tamis.data.parts import ASSISTANT, THINKING, TOOL, TOOL_CALL, TOOL_RESULT, MessagePart

EVENTS = "events"
CALLS = ("tool_use", "tool_call", "function_call", "custom_tool_call")
RESULTS = ("tool_result", "tool_response", "tool_output", "function_call_output", "custom_tool_call_output")
THOUGHTS = ("thinking", "reasoning")
_RESULT_KEYS = ("content", "output", "result", "text")
_TEXT_KEYS = ("content", "text", "message")
_CALL_IDS = ("id", "call_id", "tool_call_id")
_RESULT_IDS = ("tool_use_id", "call_id", "tool_call_id", "id")


class Saying(NamedTuple):
    """Where an event says something.

    Attributes:
        form: ``message``, ``call``, ``result``, ``thinking`` or ``text``.
        inner: the object that says it: the event, its message or its payload.
        path: from the event to that object.
        key: the field of the text, empty for a message and a call.
    """

    form: str
    inner: Mapping[str, Any]
    path: Path
    key: str = ""


def saying(event: Mapping[str, Any], path: Path = ()) -> Saying | None:
    """Return where an event says something, None for an event of another type: a summary, a snapshot, a count."""
    message, payload = event.get("message"), event.get("payload")
    if isinstance(message, Mapping) and isinstance(message.get("role"), str):
        return Saying("message", message, (*path, "message"))
    if isinstance(payload, Mapping):
        return saying(payload, (*path, "payload"))
    kind = event.get("type")
    kind = kind.strip().lower() if isinstance(kind, str) else ""
    if kind == "message" and isinstance(event.get("role"), str):
        return Saying("message", event, path)
    if kind in CALLS:
        return Saying("call", event, path)
    if kind in RESULTS:
        return Saying("result", event, path, next((key for key in _RESULT_KEYS if event.get(key) is not None), ""))
    if kind in THOUGHTS:
        key = next((key for key in (*THOUGHTS, *_TEXT_KEYS) if isinstance(event.get(key), str)), "")
        return Saying("thinking", event, path, key) if key else None
    if kind in ROLE_WORDS:
        key = next((key for key in _TEXT_KEYS if isinstance(event.get(key), (str, list))), "")
        return Saying("text", event, path, key) if key else None
    return None


def logs_a_session(events: Sequence[Any]) -> bool:
    """Say whether objects are the events of a session: one has a nested message, or a person and a tool appear."""
    found = [where for event in events if isinstance(event, Mapping) and (where := saying(event)) is not None]
    forms = {where.form for where in found}
    nested = any(where.form == "message" and where.path for where in found)
    return nested or {"call", "text"} <= forms or {"result", "text"} <= forms


def session_parts(events: Sequence[Any], turn: int, place: Path) -> Iterator[MessagePart]:
    """Yield the parts of a session. What the assistant says in events one after another is one turn.

    Raises:
        MalformedError: an event is no object, or its message cannot be read.
    """
    last, number = None, turn - 1
    for at, event in enumerate(events):
        if not isinstance(event, Mapping):
            raise MalformedError(f"event {at + 1} is {name_of(event)}, not an object")
        found = list(_parts(event, at, (*place, at)))
        if not found:
            continue
        number += not (found[0].role == last == ASSISTANT)
        last = found[-1].role
        yield from (part._replace(turn=number) for part in found)


def _parts(event: Mapping[str, Any], at: int, place: Path) -> Iterator[MessagePart]:
    where = saying(event)
    if where is None:
        return
    inner, path = where.inner, (*place, *where.path)
    word = str(inner.get("type", ""))
    if where.form == "message":
        yield from message_parts(inner, at, path, "role", "content")
    elif where.form == "text":
        yield from message_parts(inner, at, path, "type", where.key)
    elif where.form == "thinking":
        yield MessagePart(ASSISTANT, THINKING, inner[where.key], at, word, (*path, where.key))
    elif where.form == "call":
        yield MessagePart(ASSISTANT, TOOL_CALL, call_text(inner), at, word, path, call=text_field(inner, *_CALL_IDS))
    else:
        answered = text_field(inner, *_RESULT_IDS)
        value = inner.get(where.key) if where.key else ""
        if not isinstance(value, (str, list)):
            yield MessagePart(TOOL, TOOL_RESULT, compact(value), at, word, (*path, where.key), call=answered)
            return
        for part in content_parts(value, TOOL, TOOL_RESULT, at, word, (*path, where.key)):
            yield part._replace(call=answered)


def map_event(event: Any, change: Callable[[Saying], Any]) -> Any:
    """Return an event in which the object that says something is replaced by what ``change`` returns."""
    where = saying(event) if isinstance(event, Mapping) else None
    return event if where is None else _replaced(event, where.path, change(where))


def _replaced(value: Mapping[str, Any], path: Path, new: Any) -> Any:
    if not path:
        return new
    inner = _replaced(value[str(path[0])], path[1:], new)
    return value if inner is value[str(path[0])] else {**value, str(path[0]): inner}
