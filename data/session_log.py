"""Reading logs of agent sessions: JSON Lines of which each line is an event and each file one document.

A row holds the events of a file as one list of JSON text, each event as its line states it, in the column ``events``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import BadLines, Cut, Mark, Probe, detect_compression, format_of
from tamis.data.jsonl_reader import repaired_keys
from tamis.data.repair import Repairs, repair
from tamis.data.session_events import EVENTS, logs_a_session
from tamis.data.streams import open_at

SESSIONS = "sessions"
"""The format of files that log one session each."""

MOST_BYTES = 64 << 20
"""Bytes of a log, unpacked, above which it is refused: it is one document."""

SCHEMA = pa.schema([(EVENTS, pa.large_string())])
_SUFFIXES = (".jsonl", ".ndjson")
_LOOKED_AT, _FILES, _LONGEST = 50, 3, 1 << 20


@dataclass(frozen=True)
class SessionReader:
    """The format ``sessions``.

    Attributes:
        compression: as ``formats.open_stream`` takes it.
        skip: whether lines that cannot be read are left out.
    """

    compression: str = ""
    skip: bool = False

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the whole file once; it has one row."""
        bad = BadLines(path, skip=self.skip)
        events = list(self._events(path, bad, Repairs()))
        if not events and not bad:
            raise CorpusError(f"{path.name} is empty: it has no event")
        bad.check(len(events))
        mark = Mark(0, 1, 0, sum(len(event) for event in events))
        return Probe(1, SCHEMA, (mark,), places=(0,), bad_lines=tuple(bad))

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the one row."""
        if not cut.marks:
            return
        text = f"[{','.join(self._events(path, BadLines(path, skip=self.skip), repairs))}]"
        column = pa.array([text], pa.large_string())
        yield pa.RecordBatch.from_arrays([column] * len(cut.columns), names=list(cut.columns))

    def _events(self, path: Path, bad: BadLines, repairs: Repairs) -> Iterator[str]:
        """Yield each event as its line states it, valid Unicode."""
        size = 0
        with open_at(path, self.compression, 0) as stream:
            for number, raw in enumerate(stream, start=1):
                size += len(raw)
                if size > MOST_BYTES:
                    raise CorpusError(
                        f"{path.name} is larger than a document may be", allowed=f"{MOST_BYTES >> 20} MiB unpacked",
                        fix="split the session, or leave it out with --skip-bad-files",
                    )  # fmt: skip
                text = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff" if number == 1 else "").strip()
                if not text:
                    continue
                try:
                    value = json.loads(text)
                except (ValueError, RecursionError) as error:
                    bad.add(number, f"is not JSON ({error}); the session may have been broken off", error)
                    continue
                if not isinstance(value, dict):
                    bad.add(number, f"is not a JSON object but of type {type(value).__name__}")
                    continue
                yield _sound(text, repairs)


def _sound(text: str, repairs: Repairs) -> str:
    """Return an event with lone surrogates and bytes that are not Unicode replaced; others stay as they stand."""
    whole = repair(text)
    if "\\ud" in text.lower():
        whole = repair(json.dumps(json.loads(whole, object_pairs_hook=repaired_keys), ensure_ascii=False))
    repairs[EVENTS] += whole != text
    return whole


def are_sessions(files: Sequence[Path]) -> bool:
    """Say whether files are logs of sessions: JSON Lines by name, and the largest begin with events, one with turns."""
    if not files or not all(_is_lines(path) for path in files):
        return False
    try:
        largest = sorted(files, key=lambda path: (-path.stat().st_size, str(path)))[:_FILES]
        found = [_first_events(path) for path in largest]
    except OSError:
        return False
    return all(events is not None for events in found) and any(logs_a_session(events or ()) for events in found)


def _is_lines(path: Path) -> bool:
    known = format_of(path)
    return known is not None and known[0] == "jsonl" and any(suffix.lower() in _SUFFIXES for suffix in path.suffixes)


def _first_events(path: Path) -> list[Any] | None:
    """Return the events of the first lines of a file, None when a line is no event."""
    known = format_of(path)
    assert known is not None
    events: list[Any] = []
    try:
        with open_at(path, detect_compression(path, known[1]), 0) as stream:
            for raw in islice(stream, _LOOKED_AT):
                if len(raw) > _LONGEST or not raw.strip():
                    continue
                events.append(json.loads(raw))
                if not isinstance(events[-1], dict) or not isinstance(events[-1].get("type"), str):
                    return None
    except (CorpusError, ValueError, RecursionError):
        # A line that breaks off is a matter of the reader; what stands before it says what the file is.
        pass
    return events
