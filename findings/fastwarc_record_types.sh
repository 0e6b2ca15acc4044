#!/usr/bin/env bash
# fastwarc 2.0.1: the type of a record has no name, though its types say that it is an IntFlag.
#
# Expected: record.record_type.name is "conversion", as warc.pyi declares an IntFlag. Seen: AttributeError; only comparisons work.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check fastwarc==2.0.1 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import io
from importlib.metadata import version
from pathlib import Path

import fastwarc
from fastwarc.warc import ArchiveIterator, WarcRecordType

data = b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi\r\n\r\n"
kind = next(iter(ArchiveIterator(io.BytesIO(data)))).record_type
assert kind == WarcRecordType.conversion
stubs = Path(fastwarc.__path__[0]).rglob("*.pyi")
said = any("IntFlag" in path.read_text() for path in stubs)
named = hasattr(kind, "name")
print("fastwarc", version("fastwarc"), "| stubs say IntFlag:", said, "| has a name:", named)
raise SystemExit(0 if said and not named else "it has changed")
PYTHON
