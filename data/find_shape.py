"""Finding the shape of a corpus from the names, types and first values of its columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from tamis.data.byte_text import is_bytes
from tamis.data.errors import RoleError
from tamis.data.inference import MESSAGE_COLUMNS
from tamis.data.message import MalformedError, json_list, json_object
from tamis.data.paths import Pieces, find_path, path_of, walk
from tamis.data.picture_paths import is_picture_path
from tamis.data.rendered import template_of
from tamis.data.repair import is_text
from tamis.data.row_parts import read_row
from tamis.data.schema import type_at
from tamis.data.session_events import EVENTS, logs_a_session
from tamis.data.shapes import KIND_NAMES, PICTURE, TAGGED, Shape

Sampler = Callable[[Sequence[str]], Mapping[str, Sequence[str | None]]]

MESSAGE_KEYS = (("role", "content"), ("from", "value"), ("role", "value"), ("role", "text"), ("from", "content"),
                ("speaker", "text"), ("author", "content"))  # fmt: skip
"""Names of the fields of a message for its role and its text."""

PAIRS = (
    ("instruction", "output"), ("instruction", "response"), ("instruction", "completion"), ("prompt", "completion"),
    ("prompt", "response"), ("prompt", "output"), ("question", "answer"), ("question", "response"),
    ("question", "output"), ("query", "response"), ("query", "answer"), ("problem", "solution"), ("input", "output"),
    ("prompt", "answer"), ("user", "assistant"),
)  # fmt: skip
"""Columns of text that are a question and its answer."""

_ANSWERS = ("answer", "ground_truth", "reward_model.ground_truth", "gold", "final_answer")
_RESPONSES = ("responses", "completions", "candidates", "answers")
_SCORES = ("scores", "ratings", "rewards")
_DIALOGS = ("dialog", "dialogue", "conversation", "conversations", "utterances", "turns")
_TEXTS = ("text", "raw_content", "raw_text", "body")
_SUMMARIES = (("article", "highlights"), ("article", "summary"), ("document", "summary"), ("dialogue", "summary"))
_MOST = 200


class _Columns:
    """The columns of a corpus by lower-case name, and what their values look like."""

    def __init__(self, schema: pa.Schema, samples: Sampler) -> None:
        self.schema, self._samples = schema, samples
        self._names = {name.lower(): name for name in sorted(schema.names, reverse=True)}

    def path(self, name: str) -> str | None:
        """Return the path of a column or field by name, in any case; None if there is none."""
        head, _, rest = name.partition(".")
        if head not in self._names:
            return None
        path = path_of(self.schema, (self._names[head],))
        if not rest:
            return path
        return f"{path}.{rest}" if type_at(self.schema, f"{path}.{rest}") is not None else None

    def first(self, names: Sequence[str], fits: Callable[[str], object]) -> str | None:
        """Return the path of the first of some columns that fits."""
        return next((path for name in names if (path := self.path(name)) is not None and fits(path)), None)

    def is_text(self, path: str) -> bool:
        kind = type_at(self.schema, path)
        return kind is not None and is_text(kind)

    def message_keys(self, path: str) -> tuple[str, str] | None:
        """Return the names of role and text in the messages of a column, objects or JSON; None if it holds none."""
        kind = type_at(self.schema, path)
        if kind is not None and pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
            return _keys([field.name for field in kind.value_type])
        if kind is None or not (is_text(kind) or self.is_list_of_text(path)):
            return None
        found = [_json_keys(value) for value in self._values(path) if value and not value.isspace()]
        good = [keys for keys in found if keys is not None]
        return good[0] if 2 * len(good) > len(found) else None

    def says(self, path: str) -> bool:
        """Say whether a column holds text or messages."""
        return self.is_text(path) or self.message_keys(path) is not None

    def is_list_of_text(self, path: str) -> bool:
        kind = type_at(self.schema, path)
        return kind is not None and pa.types.is_list(kind) and is_text(kind.value_type)

    def is_list(self, path: str) -> bool:
        kind = type_at(self.schema, path)
        return kind is not None and pa.types.is_list(kind)

    def holds_picture_bytes(self, path: str) -> bool:
        """Say whether a column holds bytes and paths of pictures, as ``datasets`` writes them."""
        kind = type_at(self.schema, path)
        if kind is None or not pa.types.is_struct(kind):
            return False
        fields = {field.name: field.type for field in kind}
        return sorted(fields) == ["bytes", "path"] and (is_bytes(fields["bytes"]) or is_text(fields["bytes"]))

    def holds_pictures(self, path: str) -> bool:
        """Say whether a column named as one of pictures holds them: as bytes, or most values are paths of files."""
        kind = type_at(self.schema, path)
        if kind is None or not is_text(kind):
            return self.holds_picture_bytes(path) or (kind is not None and is_bytes(kind))
        held = [value for value in self._values(path) if value]
        named = sum(is_picture_path(value) for value in held)
        return 2 * named > len(held)

    def holds_events(self, path: str) -> bool:
        """Say whether a column of text holds the events of sessions as JSON."""
        if not self.is_text(path):
            return False
        lists = [json_list(value) for value in self._values(path) if value]
        return None not in lists and any(logs_a_session(listed or ()) for listed in lists)

    def template(self, path: str) -> str | None:
        """Return the template that most values of a column were rendered with."""
        found = [template_of(value) for value in self._values(path) if value]
        best = max(sorted({name for name in found if name}), key=found.count, default=None)
        return best if best is not None and 2 * found.count(best) > len(found) else None

    def _values(self, path: str) -> Sequence[str | None]:
        return self._samples([path]).get(path, ())[:_MOST]


def _keys(names: Sequence[str]) -> tuple[str, str] | None:
    return next((pair for pair in MESSAGE_KEYS if set(pair) <= set(names)), None)


def _json_keys(text: str) -> tuple[str, str] | None:
    """Return the keys of the messages in JSON text, None for any other text."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not value:
        return None
    stated = [json_object(item) if isinstance(item, str) else item for item in value]
    messages = [message for message in stated if isinstance(message, dict)]
    if len(messages) < len(value):
        return None
    return _keys(list(set.intersection(*(set(message) for message in messages))))


def find_shape(schema: pa.Schema, samples: Sampler, kind: str | None = None) -> Shape | None:
    """Return the shape that the columns have, None for plain text.

    Args:
        schema: union schema of the corpus.
        samples: returns sampled values of columns.
        kind: only this kind; also shapes that are never taken silently.

    Raises:
        RoleError: the corpus holds nothing but token numbers.
    """
    columns = _Columns(schema, samples)
    for shape in _candidates(columns):
        if kind is None or shape.kind == kind:
            return shape
    if kind == "conversation":
        return _rendered(columns)
    if kind == PICTURE and (named := columns.first((*_IMAGES, "url", "image_url"), columns.is_text)):
        # What is wrong with it is said when it is checked.
        return Shape(PICTURE, {PICTURE: named})
    if kind is None and columns.path("input_ids") and not any(is_text(each) for _, each in walk(schema)):
        raise RoleError(
            "The corpus is tokenised: it has the numbers of tokens and no text", value="input_ids",
            fix="use the data from before it was tokenised, or decode it with the tokenizer it was made with",
        )  # fmt: skip
    return None


def _candidates(columns: _Columns) -> Iterator[Shape]:
    """Yield the shapes that fit, the most telling first."""
    yield from _pictures(columns)
    yield from _preferences(columns)
    yield from _prompts(columns)
    yield from _conversations(columns)
    yield from _records(columns)
    if columns.first(_TEXTS, columns.is_text) is None:
        yield from _pairs(columns)


_IMAGES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "image_path", "image_file", "file_name")
_JSON = "json"
"""Column of what a sample of a tar shard states; its caption counts where none stands beside the picture."""
_CAPTIONS = ("caption", "text", "txt", "alt_text", "alt", "title", "description", "prompt", "sentence")


def _pictures(columns: _Columns) -> Iterator[Shape]:
    """Yield the pictures in a column of bytes, of bytes and path, or of paths of files."""
    held = columns.first(_IMAGES, columns.holds_pictures) or next(
        (path for name in sorted(columns.schema.names) if (path := path_of(columns.schema, (name,)))
         and columns.holds_picture_bytes(path)), None
    )  # fmt: skip
    if held is not None:
        beside = columns.first(_CAPTIONS, lambda path: path != held and columns.is_text(path))
        there = {names for names, kind in walk(columns.schema) if is_text(kind)}
        inside = ((_JSON, name) for name in _CAPTIONS)
        caption = beside or next((path_of(columns.schema, names) for names in inside if names in there), None)
        yield Shape(PICTURE, {PICTURE: held} | ({"caption": caption} if caption else {}))


def _sides(columns: _Columns) -> dict[str, str]:
    """Return the columns beside the messages by slot."""
    tools = columns.first(("tools", "functions"), lambda path: True)
    system = columns.first(("system", "system_prompt"), columns.is_text)
    label = columns.first(("label",), lambda path: pa.types.is_boolean(type_at(columns.schema, path)))
    found = {"tools": tools, "system": system, "label": label}
    return {slot: path for slot, path in found.items() if path is not None}


def _only(columns: Mapping[str, str], *slots: str) -> dict[str, str]:
    return {slot: path for slot, path in columns.items() if slot in slots}


def _preferences(columns: _Columns) -> Iterator[Shape]:
    chosen, rejected = (columns.first((name,), columns.says) for name in ("chosen", "rejected"))
    asked = columns.first(("prompt", "question", "instruction", "query", "input"), columns.says)
    sides = _only(_sides(columns), "system", "tools") | ({"prompt": asked} if asked else {})
    if chosen and rejected:
        yield _keyed(columns, "preference", sides | {"chosen": chosen, "rejected": rejected}, chosen)
    several = columns.first(_RESPONSES, columns.is_list)
    scores = columns.first(_SCORES, columns.is_list)
    if several and asked and (scores or _has_scores(columns, several)):
        yield _keyed(
            columns, "preference", sides | {"responses": several} | ({"scores": scores} if scores else {}), asked
        )  # fmt: skip


def _has_scores(columns: _Columns, path: str) -> bool:
    kind = type_at(columns.schema, path)
    if kind is None or not pa.types.is_struct(kind.value_type):
        return False
    return bool({"score", "rating", "overall_score", "reward"} & {field.name for field in kind.value_type})


def _keyed(columns: _Columns, kind: str, slots: dict[str, str], of: str) -> Shape:
    keys = columns.message_keys(of)
    return Shape(kind, slots) if keys is None else Shape(kind, slots, *keys)


def _prompts(columns: _Columns) -> Iterator[Shape]:
    asked = columns.first(("prompt",), columns.says)
    answer = columns.first(_ANSWERS, lambda path: True)
    source = columns.first(("data_source",), columns.is_text)
    if asked and answer and (source or columns.path("reward_model") or columns.message_keys(asked)):
        slots = {"prompt": asked, "answer": answer} | _only(_sides(columns), "system", "tools")
        yield _keyed(columns, "prompt", slots | ({"source": source} if source else {}), asked)


def _conversations(columns: _Columns) -> Iterator[Shape]:
    sides = _sides(columns)
    asked, answer = columns.path("prompt"), columns.path("completion")
    if asked and answer and columns.message_keys(asked) and columns.says(answer):
        yield _keyed(columns, "conversation", sides | {"user": asked, "assistant": answer}, asked)
    said, output = columns.path("input"), columns.first(("output", "response"), columns.is_text)
    if said and output and columns.message_keys(said):
        yield _keyed(columns, "conversation", sides | {"messages": said, "assistant": output}, said)
    events = columns.first((EVENTS,), columns.holds_events)
    if events:
        yield Shape("conversation", sides | {"events": events})
    held = columns.first(MESSAGE_COLUMNS, columns.message_keys) or next(
        (path for name in sorted(columns.schema.names) if (path := path_of(columns.schema, (name,)))
         and not columns.is_text(path) and columns.message_keys(path)), None
    )  # fmt: skip
    if held:
        yield _keyed(columns, "conversation", sides | {"messages": held}, held)
    dialog = columns.first(_DIALOGS, columns.is_list_of_text)
    if dialog:
        yield Shape("conversation", sides | {"dialog": dialog})


def _records(columns: _Columns) -> Iterator[Shape]:
    """Yield templates of well-known records."""
    context, question = (columns.first((name,), columns.is_text) for name in ("context", "question"))
    answers = columns.path("answers.text") or columns.first(("answers",), columns.is_list_of_text)
    if context and question and answers:
        yield _template(context, question, answers)
    translation = columns.path("translation")
    kind = None if translation is None else type_at(columns.schema, translation)
    if kind is not None and pa.types.is_struct(kind) and all(is_text(field.type) for field in kind) and kind.num_fields:
        yield _template(*sorted(f"{translation}.{field.name}" for field in kind))
    for pair in _SUMMARIES:
        paths = [columns.first((name,), columns.is_text) for name in pair]
        if all(paths):
            yield _template(*(path for path in paths if path))


def _template(*paths: str) -> Shape:
    return Shape("template", template="\n\n".join(f"{{{path}}}" for path in paths))


def _pairs(columns: _Columns) -> Iterator[Shape]:
    for question, answer in PAIRS:
        asked, said = (columns.first((name,), columns.is_text) for name in (question, answer))
        if asked is None or said is None:
            continue
        slots = _sides(columns) | {"user": asked, "assistant": said}
        more = columns.first(("input",), columns.is_text) if question in ("instruction", "prompt") else None
        history = columns.first(("history",), columns.is_list)
        context = columns.first(("context",), columns.is_text)
        slots |= {"input": more} if more else {}
        slots |= {"history": history} if history else {}
        yield Shape("conversation", slots | ({"context": context} if context else {}))


def _rendered(columns: _Columns) -> Shape | None:
    """Return the conversation in a column that holds rendered templates; only asked for, never taken silently."""
    for name in sorted(columns.schema.names):
        path = path_of(columns.schema, (name,))
        if columns.is_text(path) and columns.template(path):
            return Shape("conversation", {"messages": path})
    return None


def unread_by_shape(shape: Shape, schema: pa.Schema, samples: Sampler) -> tuple[str, Shape] | None:
    """Return what a shape leaves unread in the sampled texts, in words, and the shape that reads it; None for nothing.

    Args:
        shape: how rows become documents now.
        schema: of the corpus.
        samples: first values of columns.
    """
    if shape.kind == "text":
        (path,) = shape.paths
        said = rendered_note(schema, path, samples)
        return None if said is None else (said, Shape("conversation", {"messages": path}))
    said = tagged_note(shape, samples)
    return None if said is None else (said, replace(shape, calls=TAGGED))


def rendered_note(schema: pa.Schema, path: str, samples: Sampler) -> str | None:
    """Return a note if a plain text column holds conversations rendered by a template."""
    columns = _Columns(schema, samples)
    name = columns.template(path) if columns.is_text(path) else None
    if name is None:
        return None
    return (
        f"column {path} holds conversations rendered with the template {name}; "
        "open them as turns with --shape conversation"
    )


def tagged_note(shape: Shape, samples: Sampler) -> str | None:
    """Return a note if the assistant of a conversation calls tools in tags that the shape does not read."""
    if shape.kind != "conversation" or shape.calls:
        return None
    tagged = replace(shape, calls=TAGGED)
    columns = {path: samples([path]).get(path, ())[:_MOST] for path in shape.paths}
    for values in zip(*columns.values(), strict=False):
        row = {path: _value(value) for path, value in zip(columns, values, strict=True)}
        try:
            parts = read_row(tagged, row, {path: (path,) for path in columns})
            plain = read_row(shape, row, {path: (path,) for path in columns})
        except MalformedError:
            continue
        if [part.kind for part in parts] != [part.kind for part in plain]:
            return f"the assistant calls tools in tags inside texts; read them as calls with --shape '{tagged.spec}'"
    return None


def _value(text: str | None) -> object:
    """Return a sampled value, lists and objects from their JSON text."""
    try:
        return json.loads(text) if text is not None and text.lstrip()[:1] in ("[", "{") else text
    except (ValueError, RecursionError):
        return text


def checked_shape(shape: Shape, schema: pa.Schema) -> tuple[Shape, dict[str, Pieces]]:
    """Return a shape with its paths in their shortest form, and the names that lead to each.

    Raises:
        RoleError: the corpus has no such column.
    """
    places: dict[str, Pieces] = {}
    for path in dict.fromkeys([*shape.paths, *shape.columns.values()]):
        place = find_path(schema, path)
        if place is None:
            raise RoleError(
                f"The corpus has no such column for the shape {shape.kind}", value=path, allowed=schema.names,
                fix="name columns that exist",
            )  # fmt: skip
        places[path] = place
    short = {path: path_of(schema, place) for path, place in places.items()}
    columns = {slot: short[path] for slot, path in shape.columns.items()}
    return replace(shape, columns=columns), {short[path]: place for path, place in places.items()}


def reads_sessions(text: str | None) -> bool:
    """Say whether a text role lets logs of sessions be read as one document each: none, or a conversation of events."""
    shape = None if not text else Shape.parse(text)
    return not text or wanted_kind(text) == "conversation" or (shape is not None and EVENTS in shape.columns)


def wanted_kind(text: str | None) -> str | None:
    """Return the kind of shape that a text role of the form ``kind:`` asks to find, None for any other role."""
    return text[:-1] if text and text.endswith(":") and text[:-1] in KIND_NAMES else None
