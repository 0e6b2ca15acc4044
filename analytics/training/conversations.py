"""Conversations as tokens: rendered with a chat template, with a loss mask over what the assistant says.

A conversation may be cut after a turn of the assistant, else after a sentence, else between tokens; never inside the
part of a turn that calls tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals.chat_template import Message, compiled, rendered_spans, template_text
from tamis.analytics.training.encoded import Encoded, Tokenizer
from tamis.analytics.training.packing import PARAGRAPH, SENTENCE
from tamis.analytics.training.token_chunks import forbid
from tamis.data.errors import SettingError

CHATML = (
    "{% if tools %}<|im_start|>system\nTools: {{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ message.content }}"
    "{% for call in message.tool_calls or [] %}"
    "{% if not loop.first or message.content %}\n{% endif %}"
    "<tool_call>\n{{ call.function | tojson }}\n</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The template where neither the recipe nor the tokenizer states one: turns between <|im_start|> and <|im_end|>, calls
of tools as JSON in <tool_call>."""

EMPTY: Message = {"role": "user", "content": ""}


def chosen_template(given: str | None, tokenizer: Tokenizer) -> str:
    """Return the text of the template: the recipe's, else the tokenizer's own, else ChatML.

    Raises:
        SettingError: it cannot be found or is no Jinja template.
    """
    text = template_text(given) if given is not None else tokenizer.template or CHATML
    compiled(text)
    return text


@dataclass(frozen=True, eq=False)
class Rendered:
    """Conversations as texts.

    Attributes:
        texts: large_string (n,), empty where the template refuses a conversation.
        refused: bool (n,).
        owner: int64 (k,), the conversation of each turn of the assistant.
        said: int64 (k, 2), bytes that each turn takes.
        calls: int64 (k, 2), bytes in it that call tools and may not be cut; the same byte twice where it calls none.
    """

    texts: pa.Array
    refused: NDArray[np.bool_]
    owner: NDArray[np.int64]
    said: NDArray[np.int64]
    calls: NDArray[np.int64]


def render(conversations: Sequence[tuple[list[Message], Any]], template: str, tokenizer: Tokenizer) -> Rendered:
    """Return conversations as texts under a template.

    Args:
        conversations: messages and declared tools of each.
        template: Jinja text.
        tokenizer: gives the template ``bos_token`` and ``eos_token``.
    """
    run = compiled(template)
    names = {"bos_token": tokenizer.begin or "", "eos_token": tokenizer.end or ""}
    texts, refused, owner, said, calls = [], [], [], [], []
    for row, (messages, tools) in enumerate(conversations):
        found = rendered_spans(run, messages, tools, names=names)
        text, spans = found or ("", [])
        texts.append(text)
        refused.append(found is None)
        stated = {place: (begin, end) for place, begin, end in spans}
        for place, message in enumerate(messages if found else ()):
            if message["role"] != "assistant":
                continue
            # Where a turn is in the text is not always known; then its calls may be anywhere.
            begin, end = stated.get(place, (0, len(text)))
            owner.append(row)
            said.append(_bytes(text, begin, end) if place in stated else (0, 0))
            calls.append(_bytes(text, *_calling(text, message, begin, end)))
    return Rendered(
        pa.array(texts, pa.large_string()),
        np.array(refused, dtype=np.bool_),
        np.array(owner, dtype=np.int64),
        np.array(said, dtype=np.int64).reshape(-1, 2),
        np.array(calls, dtype=np.int64).reshape(-1, 2),
    )


def _calling(text: str, message: Message, begin: int, end: int) -> tuple[int, int]:
    """Return the part of a turn after its content, where it calls tools; nothing if it calls none."""
    if not message.get("tool_calls"):
        return end, end
    content = message["content"].strip()
    place = text.find(content, begin, end) if content else -1
    return (begin if place < 0 else place + len(content)), end


def _bytes(text: str, begin: int, end: int) -> tuple[int, int]:
    if text.isascii():
        return begin, end
    first = len(text[:begin].encode())
    return first, first + len(text[begin:end].encode())


def mask_answers(encoded: Encoded, rendered: Rendered) -> NDArray[np.uint8]:
    """Return which tokens begin in what the assistant says, uint8 (t,): those that bear loss."""
    mask = np.zeros(len(encoded.ids), dtype=np.uint8)
    for row, (begin, end) in zip(rendered.owner.tolist(), rendered.said.tolist(), strict=True):
        first, last = encoded.offsets[row], encoded.offsets[row + 1]
        low, high = first + np.searchsorted(encoded.starts[first:last], [begin, end], side="left")
        mask[low:high] = 1
    return mask


def level_turns(levels: NDArray[np.uint8], encoded: Encoded, rendered: Rendered) -> NDArray[np.uint8]:
    """Return levels for conversations, uint8 (t,): the best cut is after a turn, and none is inside a call of tools.

    Args:
        levels: uint8 (t,), as for plain text.
        encoded: the tokens.
        rendered: the conversations.
    """
    found = np.minimum(levels, SENTENCE).astype(np.uint8)
    for row, (_, end) in zip(rendered.owner.tolist(), rendered.said.tolist(), strict=True):
        first, last = encoded.offsets[row], encoded.offsets[row + 1]
        place = first + int(np.searchsorted(encoded.starts[first:last], end, side="left"))
        if end and place < last:
            found[place] = PARAGRAPH
    begins, ends = np.ascontiguousarray(rendered.calls.T)
    forbid(found, encoded.offsets, encoded.starts, rendered.owner, begins, ends)
    return found


def least_tokens(template: str, tokenizer: Tokenizer) -> int:
    """Return the tokens of a conversation that says nothing: sequences must be longer.

    Raises:
        SettingError: the template refuses a message of a person.
    """
    answer: Message = {"role": "assistant", "content": ""}
    found = render([([EMPTY, answer], None)], template, tokenizer)
    if found.refused[0]:
        raise SettingError(
            "The chat template refuses a plain question and answer", value=template[:200], fix="choose another template"
        )
    return len(tokenizer.encode(found.texts, special=True).ids)
