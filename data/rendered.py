"""Conversations that were rendered into one text by a chat template, cut into turns again."""

from __future__ import annotations

import re

from tamis.data.message import ROLE_WORDS
from tamis.data.parts import ASSISTANT, OTHER, TEXT, USER

_MARKED = {
    "ChatML": re.compile(r"<\|im_start\|>[ \t]*(?P<word>\w+)[ \t]*\n(?P<text>.*?)(?:<\|im_end\|>|\Z)", re.DOTALL),
    "Llama 3": re.compile(
        r"<\|start_header_id\|>\s*(?P<word>\w+)\s*<\|end_header_id\|>\s*(?P<text>.*?)(?:<\|eot_id\|>|<\|eom_id\|>|\Z)",
        re.DOTALL,
    ),
    "Gemma": re.compile(r"<start_of_turn>(?P<word>\w+)\n(?P<text>.*?)(?:<end_of_turn>|\Z)", re.DOTALL),
    "Zephyr": re.compile(
        r"<\|(?P<word>system|user|assistant)\|>\n(?P<text>.*?)(?:</s>|(?=<\|(?:user|assistant)\|>)|\Z)", re.DOTALL
    ),
    "hashes": re.compile(
        r"(?:\A|(?<=\n))### ?(?P<word>Human|Assistant|System|User|Instruction|Input|Response):?[ \t]*\n?"
        r"(?P<text>.*?)(?=\n### ?(?:Human|Assistant|System|User|Instruction|Input|Response)\b|\Z)",
        re.DOTALL,
    ),
    "capitals": re.compile(
        r"(?:\A|(?<=\n))(?P<word>USER|ASSISTANT|SYSTEM|Human|Assistant|User|System): ?(?P<text>.*?)"
        r"(?=\n(?:USER|ASSISTANT|SYSTEM|Human|Assistant|User|System):|\Z)",
        re.DOTALL,
    ),
}  # fmt: skip
_OTHER_WORDS = {"instruction": (USER, TEXT), "input": (USER, TEXT), "response": (ASSISTANT, TEXT)}

Turns = list[tuple[str, tuple[int, int], tuple[int, int]]]


def template_of(text: str) -> str | None:
    """Return the name of the template whose marks a text holds for at least two turns, None for no template."""
    for name, pattern in _MARKED.items():
        found = pattern.search(text)
        if found is not None and pattern.search(text, max(found.end(), found.start() + 1)):
            return name
    return None


def rendered_turns(text: str) -> Turns | None:
    """Return word, (role, kind) and span of each turn, without the white space around it; None for no template."""
    name = template_of(text)
    if name is None:
        return None
    turns: Turns = []
    for match in _MARKED[name].finditer(text):
        word, inside = match["word"], match["text"]
        begin = match.start("text") + len(inside) - len(inside.lstrip())
        role = _OTHER_WORDS.get(word.lower()) or ROLE_WORDS.get(word.lower(), (OTHER, TEXT))
        turns.append((word, role, (begin, max(begin, match.start("text") + len(inside.rstrip())))))
    return turns
