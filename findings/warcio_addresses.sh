#!/usr/bin/env bash
# warcio 1.8.1 beside FastWARC 2.0.1: the address of one record differs between the two readers.
#
# Expected: WARC-Target-URI is what stands in the file. Seen: warcio takes the brackets off that WARC 1.0 writes around an address and turns
# spaces into %20 while it reads, FastWARC keeps both; so what one tool lists as seen the other does not find.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check warcio==1.8.1 FastWARC==2.0.1 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import io
from importlib.metadata import version

from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator


def record(number, address):
    head = (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: {address}\r\nWARC-Record-ID: <urn:uuid:{number:032x}>\r\n"
        "WARC-Date: 2020-01-01T00:00:00Z\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n"
    )
    return f"{head}text\r\n\r\n".encode()


file = record(1, "<https://example.org/a>") + record(2, "https://example.org/b c")
one = [each.rec_headers.get_header("WARC-Target-URI") for each in ArchiveIterator(io.BytesIO(file))]
other = [each.headers.get("WARC-Target-URI") for each in FastIterator(io.BytesIO(file), parse_http=False)]
print("warcio", version("warcio"), one, "| FastWARC", version("FastWARC"), other)
assert one == ["https://example.org/a", "https://example.org/b%20c"], one
assert other == ["<https://example.org/a>", "https://example.org/b c"], other
PYTHON
