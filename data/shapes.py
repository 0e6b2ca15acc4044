"""Shapes: how the columns of a row become a document.

A shape names columns by slot and says what each slot holds. It is written as ``kind:{JSON}`` in the place of the text
role, so whatever names the text of a corpus (fingerprints, locks, workers) names its shape:

    text                                                      the column ``text``: the plain shape
    conversation:{"messages":"messages"}                      a list of messages
    conversation:{"user":"instruction","assistant":"output"}  columns that are turns
    preference:{"prompt":"prompt","chosen":"chosen","rejected":"rejected"}
    prompt:{"answer":"answer","prompt":"prompt"}              a prompt with the answer to check against
    template:{"template":"{title}\\n\\n{body}"}                columns joined by a template
    image:{"caption":"caption","image":"image"}               a picture, with or without a caption
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.errors import SettingError
from tamis.data.hashing import canonical_json
from tamis.data.parts import (
    ANSWER,
    ASSISTANT,
    BLANK_LINE,
    CHOSEN,
    CONTEXT,
    OTHER,
    REJECTED,
    SCOPES,
    SYSTEM,
    USER,
    WHOLE,
    Parts,
)

SLOTS = {
    "conversation": (
        "system", "context", "history", "messages", "events", "dialog", "user", "input", "assistant", "answer",
    ),
    "preference": ("system", "prompt", "chosen", "rejected", "responses"),
    "prompt": ("system", "prompt", "answer"),
    "template": (),
    "image": ("caption",),
}  # fmt: skip
"""Slots of each kind, in the order in which their parts stand in the document."""

SIDE_SLOTS = ("tools", "scores", "label", "source")
"""Slots that add no part: what the tools are, how good the responses are, whether an answer is good, an origin."""

KIND_NAMES = ("text", *SLOTS)

PICTURE = "image"
"""Kind of the shape of pictures, and its slot for them: bytes, an object of bytes and path, or the path of a file."""

OPTIONS = ("role_key", "text_key", "template", "scope", "calls")
"""What a shape states besides its columns."""

TAGGED = "tagged-1"
"""Calls of tools and their results in tags inside texts, as Hermes and others write them."""

SLOT_ROLES = {
    "system": SYSTEM, "context": CONTEXT, "user": USER, "input": USER, "prompt": USER, "assistant": ASSISTANT,
    "answer": ANSWER, "chosen": CHOSEN, "rejected": REJECTED, "template": OTHER, "caption": OTHER,
}  # fmt: skip

_NEEDED = {
    "conversation": ("messages", "events", "dialog", "user"),
    "preference": ("chosen", "responses"),
    "prompt": ("prompt",),
    "template": ("template",),
    "image": (PICTURE,),
}
_FIELD = re.compile(r"\{([^{}]+)\}")
_NAMES = {"conversation": "a conversation", "preference": "a preference pair", "prompt": "a prompt with its answer",
          "image": "a picture"}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """How rows become documents.

    Attributes:
        kind: one of ``KIND_NAMES``.
        columns: path by slot; for ``text`` the slot ``text``, for ``template`` none.
        role_key, text_key: fields of a message with its role and its text.
        template: text with paths in braces, for the kind ``template``.
        scope: the parts that the text of a document is made of, see ``parts.SCOPES``.
        calls: how texts state calls of tools: empty for nowhere, ``tagged-1`` for ``<tool_call>{JSON}</tool_call>`` of
            the assistant and ``<tool_response>...</tool_response>`` of the others.
    """

    kind: str
    columns: Mapping[str, str] = field(default_factory=dict)
    role_key: str = "role"
    text_key: str = "content"
    template: str = ""
    scope: str = WHOLE
    calls: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KIND_NAMES:
            raise SettingError("Unknown shape", value=self.kind, allowed=KIND_NAMES)
        if self.kind == "text":
            return
        known = (PICTURE, *SLOTS[self.kind]) if self.kind == PICTURE else (*SLOTS[self.kind], *SIDE_SLOTS)
        if unknown := sorted(set(self.columns) - set(known)):
            raise SettingError(f"A {self.kind} has no such slot", value=unknown[0], allowed=known)
        needed = _NEEDED[self.kind]
        if self.kind == "template" and not self.fields:
            raise SettingError("A template names columns in braces", value=self.template, allowed="{title}\\n\\n{body}")
        if self.kind != "template" and not set(needed) & set(self.columns):
            raise SettingError(f"A {self.kind} needs a column", value=sorted(self.columns), allowed=needed)
        if self.scope not in SCOPES:
            raise SettingError("Unknown scope", value=self.scope, allowed=SCOPES)
        if self.calls not in ("", TAGGED):
            raise SettingError("Unknown form of calls", value=self.calls, allowed=TAGGED)

    @property
    def has_texts(self) -> bool:
        """Say whether documents have texts: pictures without captions have none."""
        return self.kind != PICTURE or "caption" in self.columns

    @classmethod
    def parse(cls, text: str) -> Shape | None:
        """Return the shape that a text role states, None for the path of a column.

        Raises:
            SettingError: it begins like a shape and is none.
        """
        kind, colon, rest = text.partition(":")
        if not colon or kind not in SLOTS or not rest.startswith("{"):
            return None
        try:
            value = json.loads(rest)
        except ValueError as error:
            raise SettingError("A shape is kind:{JSON}", value=text, fix=str(error)) from error
        own = {name: value.pop(name) for name in OPTIONS if name in value}
        return cls(kind, value, **own)

    @classmethod
    def role(cls, text: str) -> str:
        """Return the text role for what a person asks for: a kind to find, ``template=TEXT``, or a whole shape.

        Raises:
            SettingError: it is none of these.
        """
        if text in KIND_NAMES and text != "template":
            return f"{text}:"
        name, equals, rest = text.partition("=")
        if equals and name == "template":
            return cls("template", template=rest.replace("\\n", "\n")).spec
        shape = cls.parse(text)
        if shape is None:
            allowed = [
                *(kind for kind in KIND_NAMES if kind != "template"),
                "template={title}\\n\\n{body}",
                "kind:{JSON}",
            ]
            raise SettingError("Unknown shape", value=text, allowed=allowed)
        return shape.spec

    @classmethod
    def of_text(cls, path: str) -> Shape:
        """Return the plain shape: the column at a path is the text."""
        return cls("text", {"text": path})

    @cached_property
    def spec(self) -> str:
        """Return the shape as ``parse`` reads it; of plain text the path."""
        if self.kind == "text":
            return self.columns["text"]
        value: dict[str, str] = dict(self.columns)
        plain = {"role_key": "role", "text_key": "content", "template": "", "scope": WHOLE, "calls": ""}
        value |= {name: given for name, usual in plain.items() if (given := getattr(self, name)) != usual}
        return f"{self.kind}:{canonical_json(value).decode()}"

    def in_scope(self, scope: str) -> Shape:
        """Return the shape whose documents are only the parts of a scope.

        Raises:
            SettingError: there is no such scope, or plain text has no parts.
        """
        if scope == self.scope:
            return self
        if self.kind in ("text", "template", PICTURE):
            raise SettingError("Plain text has no scopes", value=scope, allowed=WHOLE)
        return replace(self, scope=scope)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Return the scopes that rows of this shape can have, without the whole."""
        both = ("prompt", "response", "system", "user")
        of = {
            "conversation": (*both, "assistant", "thinking", "tool", "first_user", "last_assistant"),
            "preference": (*both, "chosen", "rejected"),
            "prompt": ("prompt", "system", "user"),
        }
        return of.get(self.kind, ())

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Return the paths in the template, in order."""
        return tuple(_FIELD.findall(self.template))

    @cached_property
    def separators(self) -> tuple[str, ...]:
        """Return what stands before each field of the template: the first is its beginning."""
        return tuple(_FIELD.split(self.template)[::2])

    @cached_property
    def slots(self) -> tuple[tuple[str, str], ...]:
        """Return slot and path of the columns that become parts, in document order."""
        if self.kind == "text":
            return (("text", self.columns["text"]),)
        if self.kind == "template":
            return tuple(("template", path) for path in self.fields)
        return tuple((slot, self.columns[slot]) for slot in SLOTS[self.kind] if slot in self.columns)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Return all columns the shape reads, each once."""
        scores = (self.columns["scores"],) if "scores" in self.columns else ()
        return tuple(dict.fromkeys([path for _, path in self.slots] + [*scores]))

    def join(self, parts: Parts) -> pa.Array:
        """Return the texts of documents from their parts, large_string (n,), NULL where a row is no document."""
        if self.kind != "template":
            return parts.scope(self.scope).join()
        # Before the first field stands nothing yet, and items of one field are joined by a blank line.
        gaps = pa.array([BLANK_LINE, *self.separators[1:-1]], pa.large_string())
        same = np.concatenate([[False], parts.turn[1:] == parts.turn[:-1]])[: len(parts.turn)]
        joined = parts.join(gaps.take(pa.array(np.where(same, 0, parts.turn))))
        begin, end = (pa.scalar(self.separators[at], pa.large_string()) for at in (0, -1))
        return pc.binary_join_element_wise(begin, joined, end, pa.scalar("", pa.large_string()))

    @property
    def words(self) -> str:
        """Return the shape for people."""
        if self.kind == "text":
            return f"column {self.columns['text']}"
        if self.kind == "template":
            return f"columns {', '.join(dict.fromkeys(self.fields))} joined by a template"
        known = dict(self.slots) | {slot: self.columns[slot] for slot in (PICTURE, *SIDE_SLOTS) if slot in self.columns}
        named = ", ".join(path if slot == path else f"{path} ({slot})" for slot, path in known.items())
        scope = "" if self.scope == WHOLE else f", only {self.scope}"
        calls = ", calls in tags" if self.calls else ""
        return f"{_NAMES[self.kind]} in {named}{calls}{scope}"


def spoken_role(role: str) -> str:
    """Return a role of a corpus for people: the path of a column, or what a shape is made of."""
    shape = Shape.parse(role)
    return role if shape is None else shape.words
