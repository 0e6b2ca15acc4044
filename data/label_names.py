"""Names of class labels from the ``huggingface`` block of a Parquet file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping

LABELS_KEY = b"huggingface"


def label_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """Return the names of the labels 0, 1, ... by top-level column; none from a block that cannot be read."""
    try:
        features = json.loads((metadata or {})[LABELS_KEY])["info"]["features"]
        found = {name: feature.get("names") for name, feature in features.items() if _is_class_label(feature)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {name: tuple(map(str, names)) for name, names in found.items() if isinstance(names, list) and names}


def _is_class_label(feature: object) -> bool:
    return isinstance(feature, dict) and feature.get("_type") == "ClassLabel"


def agreed_labels(
    files: Mapping[str, tuple[Mapping[str, tuple[str, ...]], frozenset[str]]],
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the label names on which all files with the column agree, and a note for each column where they differ.

    Args:
        files: label names and all columns of each file, by the name used in notes.
    """
    agreed, notes = {}, []
    for column in sorted({column for labels, _ in files.values() for column in labels}):
        seen = {labels.get(column, ()) for labels, columns in files.values() if column in columns}
        if len(seen) == 1:
            agreed[column] = seen.pop()
        else:
            notes.append(f"column {column} has other label names in other files, its labels are shown as numbers")
    return agreed, tuple(notes)
