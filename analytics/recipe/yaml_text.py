"""Reading and writing the YAML of a recipe: YAML 1.2, plain values only, no aliases and no code.

A recipe may come from anyone, so anchors, aliases, tags, directives, duplicate keys, further documents, deep
nesting and large files are refused before a value is built.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.representer import SafeRepresenter

from tamis.data.errors import RecipeError

MAX_BYTES = 1 << 20
MAX_DEPTH = 12
MAX_NODES = 50_000

_PLAIN_RANGES = "\\t\\n\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff"
PLAIN = re.compile(f"[{_PLAIN_RANGES}]*")
"""Text without line breaks and controls that YAML treats specially; other text is written with escapes."""
EDGE_SPACE = re.compile(r"^[ \t]|[ \t]$", re.MULTILINE)


def parse_yaml(text: str) -> dict[str, Any]:
    """Return the mapping that a YAML document holds.

    Raises:
        RecipeError: the text is too large, is not YAML, is not one mapping, or uses a part of YAML that is not allowed.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise RecipeError("Recipe is too large", value=f"{size} bytes", allowed=f"up to {MAX_BYTES} bytes")
    try:
        _check(text)
        value = _yaml().load(text)
    except DuplicateKeyError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "somewhere"
        raise RecipeError("A key appears twice in the recipe", value=line, fix="keep one of them") from None
    except (ConstructorError, YAMLError, ValueError) as error:
        raise RecipeError("Recipe is not readable YAML", value=_where(error)) from None
    if not isinstance(value, dict):
        raise RecipeError("A recipe must be a mapping", value=value, allowed="keys such as title and steps")
    return value


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = "1.2"
    yaml.allow_duplicate_keys = False
    return yaml


def _check(text: str) -> None:
    """Walk the events of the document and refuse what is not a plain value."""
    depth = nodes = documents = 0
    for event in _yaml().parse(text):
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refusal("several documents", event)
            if event.version is not None or event.tags:
                raise _refusal("a directive", event)
        if isinstance(event, AliasEvent):
            raise _refusal("an alias", event)
        if isinstance(event, NodeEvent):
            nodes += 1
            if event.anchor is not None:
                raise _refusal("an anchor", event)
            if isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)) and event.tag is not None:
                raise _refusal("a tag", event)
        if isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            depth += 1
        if isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            depth -= 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise _refusal("deep nesting or too many values", event)


def _refusal(what: str, event: Event) -> RecipeError:
    return RecipeError(
        f"Recipes may not use {what}",
        value=f"line {event.start_mark.line + 1}",
        allowed="plain text, numbers, true/false, lists and mappings",
    )


def _where(error: Exception) -> str:
    """Return the message of a YAML error in one line, without the document."""
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = f" (line {mark.line + 1})" if mark is not None else ""
        return f"{error.problem or error.context or 'unreadable'}{place}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class _Representer(SafeRepresenter):
    """Writes mappings in the order given, text of several lines as a block, short lists on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values in full each time."""
        return True


def _represent_mapping(representer: SafeRepresenter, value: dict[str, Any]) -> Any:
    # A list of pairs keeps its order; the representer sorts mappings.
    return representer.represent_mapping("tag:yaml.org,2002:map", list(value.items()))


def _represent_text(representer: SafeRepresenter, text: str) -> Any:
    style = None
    if not PLAIN.fullmatch(text):
        style = '"'
    elif "\n" in text and not EDGE_SPACE.search(text):
        style = "|"
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_number(representer: SafeRepresenter, value: float) -> Any:
    if value.is_integer() and abs(value) < 2**53:
        return representer.represent_int(int(value))
    return representer.represent_float(value)


def _represent_list(representer: SafeRepresenter, values: list[Any]) -> Any:
    flow = all(not isinstance(value, (dict, list)) for value in values) and len(repr(values)) <= 88
    flow = flow or (bool(values) and all(_is_point(value) for value in values))
    return representer.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flow)


def _is_point(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, (int, float)) for part in value)


_Representer.add_representer(dict, _represent_mapping)
_Representer.add_representer(str, _represent_text)
_Representer.add_representer(float, _represent_number)
_Representer.add_representer(list, _represent_list)


def write_yaml(value: Mapping[str, Any]) -> str:
    """Return readable YAML 1.2 of plain values, keys in the order given; the same value gives the same text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(dict(value), stream)
    return stream.getvalue()
