"""Near-duplicate pictures by other tools: ``peers_image_duplicates.py TOOL FOLDER OUT``, run in the tool's environment.

Tools: ``imagededup-phash``, ``imagededup-dhash``, ``cleanvision``, each with its defaults. Writes the pairs of file
names, and the processor seconds of this process and its children, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from itertools import combinations
from pathlib import Path
from time import perf_counter
from unittest.mock import MagicMock


class _Anything(types.ModuleType):
    """A module that has every attribute and every module below it."""

    __path__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name: str) -> MagicMock:
        return MagicMock(name=name)


class _Torchvision(MetaPathFinder, Loader):
    """Stands in for torchvision, which only the networks of imagededup use and which fits few versions of torch."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name.split(".")[0] == "torchvision" else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return _Anything(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__file__ = "none.py"


def by_imagededup(method: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the pairs within the default distance."""
    sys.meta_path.insert(0, _Torchvision())
    import torch

    # Newer versions of torch take no stand-in for a layer; the networks are never run.
    torch.nn.Sequential = MagicMock(name="Sequential")
    from imagededup import methods

    finder = {"phash": methods.PHash, "dhash": methods.DHash}[method](verbose=False)
    found = finder.find_duplicates(image_dir=str(folder))
    for name, others in found.items():
        yield from ((name, other) for other in others if name < other)


def by_cleanvision(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the pairs of each near-duplicate set."""
    from cleanvision import Imagelab

    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, verbose=False)
    for kind in ("near_duplicates", "exact_duplicates"):
        for group in lab.info.get(kind, {}).get("sets", []):
            yield from combinations(sorted(Path(path).name for path in group), 2)


def main() -> int:
    """Run one tool."""
    tool, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    begin = perf_counter()
    found = by_cleanvision(folder) if tool == "cleanvision" else by_imagededup(tool.split("-")[1], folder)
    pairs = sorted(set(found))
    used = os.times()
    spent = used.user + used.system + used.children_user + used.children_system
    out.write_text(json.dumps({"pairs": pairs, "cpu": spent, "wall": perf_counter() - begin}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
