"""Croissant 1.1 metadata of prepared data: its files with checksums, and the tables that a reader can open.

Source: docs.mlcommons.org/croissant, the specification of version 1.1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tamis.analytics.export.lock import LockedFile

CROISSANT_VERSION = "http://mlcommons.org/croissant/1.1"

_TYPES = {
    ".parquet": "application/x-parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
    ".zst": "application/zstd",
    ".tar": "application/x-tar",
    ".json": "application/json",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
}
_OTHER = "application/octet-stream"

_PLAIN = ("citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty", "fileObject",
          "fileSet", "format", "includes", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references",
          "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform")  # fmt: skip


def croissant(
    *,
    name: str,
    description: str,
    version: str,
    license: str,
    url: str,
    files: Sequence[LockedFile],
    tables: Sequence[tuple[str, pa.Schema]],
    date: str | None = None,
) -> bytes:
    """Return the metadata as JSON-LD; the same values give the same bytes.

    Args:
        name, description: of the data.
        version: three numbers.
        license: an identifier or an address.
        url: of its page.
        files: of the folder.
        tables: Parquet files among them and their schemas; each becomes a record set.
        date: of publication, absent if unknown.
    """
    value = {
        "@context": _context(),
        "@type": "sc:Dataset",
        "name": name,
        "description": description,
        "conformsTo": CROISSANT_VERSION,
        "license": license,
        "url": url,
        "version": version,
        **({} if date is None else {"datePublished": date}),
        "distribution": [_file(file) for file in files],
        "recordSet": [_records(name, schema) for name, schema in tables],
    }
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def _context() -> dict[str, Any]:
    given = {name: f"cr:{name}" for name in _PLAIN}
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "isLiveDataset": "cr:isLiveDataset",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "sc": "https://schema.org/",
        **given,
    }


def _file(file: LockedFile) -> dict[str, Any]:
    suffix = file.name[file.name.rfind(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _TYPES.get(suffix, _OTHER),
        "sha256": file.sha256,
    }


def _records(name: str, schema: pa.Schema) -> dict[str, Any]:
    stem = name.removesuffix(".parquet").replace("/", "_")
    return {
        "@type": "cr:RecordSet",
        "@id": stem,
        "name": stem,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{stem}/{field.name}",
                "name": f"{stem}/{field.name}",
                "dataType": "sc:Integer" if pa.types.is_integer(field.type) else "sc:Text",
                "source": {"fileObject": {"@id": name}, "extract": {"column": field.name}},
            }
            for field in schema
        ],
    }
