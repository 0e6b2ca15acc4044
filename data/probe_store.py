"""Probes of files as JSON, kept by the content of the file."""

from __future__ import annotations

import base64
import json
from dataclasses import astuple
from pathlib import Path

import pyarrow as pa

from tamis.data.formats import (
    BadLine,
    Mark,
    Probe,
)

PROBE_VERSION = 2
"""Version of probes: raised whenever their content changes; cached older ones are made again. Version 2 has text in
bytes, UUIDs, label names, the source schema and lines left out; a fingerprint names the columns read as text."""


def encode_probe(probe: Probe) -> bytes:
    """Return a probe as JSON."""
    value = {
        name: getattr(probe, name)
        for name in ("rows", "dialect", "recoded", "uuids", "labels", "places", "notes", "maker")
    }
    value |= {"marks": [astuple(mark) for mark in probe.marks], "bad": [astuple(line) for line in probe.bad_lines]}
    value |= {"schema": _packed(probe.schema), "source": None if probe.source is None else _packed(probe.source)}
    return json.dumps(value).encode()


def _packed(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def _unpacked(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def recall_probe(probes: Path | None, name: str) -> Probe | None:
    """Return a stored probe, None when there is none or it cannot be read."""
    if probes is None or not (probes / f"{name}.json").is_file():
        return None
    try:
        value = json.loads((probes / f"{name}.json").read_bytes())
        return Probe(
            rows=value["rows"],
            schema=_unpacked(value["schema"]),
            marks=tuple(Mark(*mark) for mark in value["marks"]),
            dialect=value["dialect"],
            recoded=tuple(value["recoded"]),
            uuids=tuple(value["uuids"]),
            labels={column: tuple(names) for column, names in value["labels"].items()},
            source=None if value["source"] is None else _unpacked(value["source"]),
            places=tuple(value["places"]),
            bad_lines=tuple(BadLine(*line) for line in value["bad"]),
            notes=tuple(value["notes"]),
            maker=value.get("maker", ""),
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid):
        return None
