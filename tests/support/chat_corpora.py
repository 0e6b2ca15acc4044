"""Small corpora of conversations and of preference pairs, for the pages that show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]

TOPICS = (
    ("boil an egg", "egg", "Put it into boiling water", "Lay it into cold oil"),
    ("change a tyre", "tyre", "Loosen the nuts before you lift the car", "Lift the car and hope for the best"),
    ("sort a list in Python", "list", "Call sorted with a key", "Shuffle it until it looks sorted"),
    ("grow tomatoes on a balcony", "tomato", "Give them sun and water at the roots", "Keep them in the cellar"),
    ("learn the guitar", "guitar", "Practise two chords every day", "Buy nine guitars"),
    ("write a letter of thanks", "letter", "Name what you are thankful for", "Send a blank page"),
)
LONG = "\n\n".join(
    f"{n}. Stir slowly, taste, and write down what you have learnt in step {n} of the work." for n in range(60)
)


def conversations(count: int = 60) -> list[Row]:
    """Return conversations with system turns, thinking, calls of tools, pictures and a few malformed rows."""
    return [_conversation(n) for n in range(count)] + _malformed()


def _conversation(n: int) -> Row:
    task, thing, good, _ = TOPICS[n % len(TOPICS)]
    turns: list[Row] = [{"role": "system", "content": "You are a patient helper."}] if n % 3 == 0 else []
    turns.append({"role": "user", "content": f"How do I {task}? This is attempt {n}, mail me at ann{n}@kitchen.net."})
    if n % 5 == 0:
        turns += _weather(n, thing)
    thought = f"<think>\nThey want to {task}; keep it to {n % 4 + 1} steps.\n</think>\n\n" if n % 4 == 0 else ""
    turns.append({"role": "assistant", "content": f"{thought}{good}. Repeat this {n % 7 + 1} times with the {thing}."})
    if n % 6 == 0:
        turns.append({"role": "user", "content": "<b>Is that all?</b> תודה רבה\nReally *all*?"})
        turns.append({"role": "assistant", "content": LONG})
    if n % 7 == 0:
        image = {"type": "image_url", "image_url": {"url": f"https://pictures.invalid/{thing}-{n}.png"}}
        turns.append({"role": "user", "content": json.dumps([{"type": "text", "text": "Does it look right?"}, image])})
        turns.append({"role": "assistant", "content": f"Yes, the {thing} looks right."})
    return {"id": f"c{n:04d}", "messages": turns, "source": ("kitchen", "garage", "desk")[n % 3]}


def _weather(n: int, thing: str) -> list[Row]:
    asked = json.dumps({"query": f"{thing} {n}", "options": {"most": 3, "languages": ["en", "de"]}})
    call = {"id": f"k{n}", "type": "function", "function": {"name": "search", "arguments": asked}}
    found = {
        "results": [{"title": f"All about the {thing}", "score": 0.93}, {"title": "Something else", "score": 0.11}]
    }
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"k{n}", "content": json.dumps(found)},
    ]


def _malformed() -> list[Row]:
    return [
        {"id": "bad1", "messages": [], "source": "desk"},
        {"id": "bad2", "messages": None, "source": "desk"},
        {"id": "bad3", "messages": [{"content": "<i>who</i> speaks?"}], "source": "desk"},
    ]


def preferences(count: int = 40) -> list[Row]:
    """Return pairs of a good and a bad answer to the same prompt."""
    rows = []
    for n in range(count):
        task, thing, good, bad = TOPICS[n % len(TOPICS)]
        end = f", {n % 5 + 2} times, and look after the {thing} in between."
        rows.append({"prompt": f"How do I {task}, attempt {n}?", "chosen": good + end, "rejected": bad + end})
    return rows


def write_rows(path: Path, rows: list[Row]) -> Path:
    """Write rows as JSON Lines and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path
