"""The demo corpus: the documentation in this Python environment, one document per text.

Sources are read as files and never imported: docstrings of the standard library and of distributions with ``ast``,
the language topics of ``pydoc_data``, and the long descriptions of distributions. Nothing is downloaded or
sent. The same versions give the same documents in the same order.
"""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
import warnings
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from email.message import Message
from importlib import metadata
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import NamedTuple, cast

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.hashing import digest
from tamis.data.nearest import did_you_mean
from tamis.data.parquet import write_bytes, write_parquet
from tamis.data.progress import NullProgress, Progress

DEMO_VERSION = 1
SHARD_DOCUMENTS = 16_384
STANDARD_LIBRARY = "python"
SCHEMA = pa.schema(
    [
        ("text", pa.large_string()),
        ("source", pa.string()),
        ("path", pa.string()),
        ("kind", pa.string()),
        ("licence", pa.string()),
        ("version", pa.string()),
    ]
)


class Text(NamedTuple):
    """One document: its text, its place inside the file, and the kind of text."""

    text: str
    place: str
    kind: str


@dataclass(frozen=True)
class SourceTree:
    """A distribution, or the standard library, and the Python files it owns.

    Attributes:
        name: normalised name of the distribution, or ``python``.
        version: its version.
        licence: as its metadata states it, empty if it states none.
        description: its long description, empty when it has none.
        root: folder the paths are relative to.
        files: paths below ``root``, sorted, with forward slashes.
    """

    name: str
    version: str
    licence: str
    description: str
    root: Path
    files: tuple[str, ...]


@dataclass
class DemoReport:
    """The result of building the demo corpus.

    Attributes:
        documents: how many documents the corpus has.
        files: how many source files were read.
        unreadable: one line per file that could not be decoded or parsed.
        shards: the Parquet files.
        current: False when the corpus was kept although the environment has changed since it was built.
    """

    documents: int = 0
    files: int = 0
    unreadable: list[str] = field(default_factory=list)
    shards: list[Path] = field(default_factory=list)
    current: bool = True


def build_demo(
    folder: Path,
    *,
    sources: Iterable[SourceTree] | None = None,
    workers: int | None = None,
    renew: bool = True,
    progress: Progress | None = None,
) -> DemoReport:
    """Write the demo corpus as Parquet shards into ``folder``; a complete one of the same versions stays.

    Args:
        folder: created if missing; a file ``demo.version`` names the versions it was built from.
        sources: what to read; by default all of this environment.
        workers: processes that parse; by default the number of processors.
        renew: rebuild a complete corpus that was built from other versions; otherwise it stays.
        progress: advanced by source files.

    Raises:
        CorpusError: the folder holds something else, or there is nothing to read.
        StoreError: the disk is full or the folder cannot be written.
    """
    trees = sorted(sources if sources is not None else installed_sources(), key=lambda tree: tree.name)
    if not trees:
        raise CorpusError("This environment carries no documentation to read")
    stamp = f"{DEMO_VERSION}-{digest([[tree.name, tree.version, len(tree.files)] for tree in trees])}"
    marker = folder / "demo.version"
    existing = sorted(folder.glob("*.parquet"))
    if existing and marker.is_file():
        built, documents = marker.read_text("utf-8").split()
        if built == stamp or (not renew and built.startswith(f"{DEMO_VERSION}-")):
            return DemoReport(documents=int(documents), shards=existing, current=built == stamp)
    if existing and not marker.is_file():
        raise CorpusError("The folder already holds Parquet files", value=str(folder), fix="choose another folder")
    marker.unlink(missing_ok=True)
    for shard in existing:
        shard.unlink()
    report = DemoReport()
    rows = _documents(trees, report, workers=workers, progress=progress or NullProgress())
    for number, part in enumerate(_chunks(rows, SHARD_DOCUMENTS)):
        path = folder / f"demo-{number:03d}.parquet"
        write_parquet(pa.Table.from_pylist(part, schema=SCHEMA), path)
        report.documents += len(part)
        report.shards.append(path)
    write_bytes(marker, f"{stamp} {report.documents}\n".encode())
    return report


def installed_sources(only: Collection[str] = ()) -> list[SourceTree]:
    """Return the standard library and every installed distribution except Tamis itself, sorted by name.

    Args:
        only: names of those wanted, ``python`` for the standard library; all by default.

    Raises:
        CorpusError: one of them is not installed.
    """
    known = _installed()
    wanted = {name.lower().replace("_", "-") for name in only}
    names = [tree.name for tree in known]
    for name in sorted(wanted.difference(names)):
        raise CorpusError("This is not installed here", value=name, fix=did_you_mean(name, names))
    return [tree for tree in known if not wanted or tree.name in wanted]


def _installed() -> list[SourceTree]:
    library = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"site-packages", "dist-packages", "__pycache__"}
    own = sorted(
        path.relative_to(library).as_posix()
        for path in library.rglob("*.py")
        if not skipped.intersection(path.relative_to(library).parts)
    )
    version = ".".join(str(part) for part in sys.version_info[:3])
    trees = [SourceTree(STANDARD_LIBRARY, version, "PSF-2.0", "", library, tuple(own))]
    seen = {"tamis"}
    for distribution in metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name and name not in seen:
            seen.add(name)
            trees.append(_tree(name, distribution))
    return sorted(trees, key=lambda tree: tree.name)


def _tree(name: str, distribution: metadata.Distribution) -> SourceTree:
    """Return a distribution's own Python files: those below the folder it is installed in."""
    files = sorted(
        {
            path.as_posix()
            for path in distribution.files or ()
            if path.suffix == ".py" and ".." not in path.parts and not path.is_absolute()
        }
    )
    # importlib.metadata returns a Message; its protocol lacks some of the methods.
    about = cast(Message, distribution.metadata)
    described = about.get_payload() or about.get("Description") or ""
    return SourceTree(
        name=name,
        version=distribution.version or "",
        licence=_licence(about.get("License-Expression"), about.get("License"), about.get_all("Classifier") or ()),
        description=described if isinstance(described, str) else "",
        root=Path(str(distribution.locate_file(""))),
        files=tuple(files),
    )


def _licence(expression: str | None, free: str | None, classifiers: Iterable[str]) -> str:
    """Return the name of the licence; a full licence text is not a name, so the classifier is used instead."""
    if expression:
        return expression
    if free and len(free) <= 64 and "\n" not in free:
        return free
    names = [line.rsplit(" :: ", 1)[-1] for line in classifiers if line.startswith("License :: ")]
    return "; ".join(names)


def _documents(
    trees: list[SourceTree], report: DemoReport, *, workers: int | None, progress: Progress
) -> Iterator[dict[str, str]]:
    """Yield the rows of all trees, in the order of trees, files and places."""
    files = [tree.root / file for tree in trees for file in tree.files]
    progress.step("Reading documentation", len(files), unit="files")
    spawned = get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=spawned, initializer=_end_with_parent) as pool:
        parsed = pool.map(read_texts, files, chunksize=64)
        for tree in trees:
            fields = {"source": tree.name, "licence": tree.licence, "version": tree.version}
            if tree.description.strip():
                yield {"text": tree.description.strip(), "path": "METADATA", "kind": "description", **fields}
            for file, result in zip(tree.files, parsed, strict=False):
                report.files += 1
                progress.advance()
                if isinstance(result, str):
                    report.unreadable.append(f"{tree.name}/{file}: {result}")
                    continue
                for text in result:
                    path = f"{file}:{text.place}" if text.place else file
                    yield {"text": text.text, "path": path, "kind": text.kind, **fields}
            progress.check()


def _end_with_parent() -> None:
    """End this worker when the process that made it ends, however that one ends: a signal leaves it no time to."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def read_texts(path: Path) -> list[Text] | str:
    """Return the documents of one Python file in file order, or the reason why it has none."""
    try:
        source = path.read_bytes()
    except OSError as error:
        return error.strerror or "cannot be read"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"cannot be parsed ({type(error).__name__})"
    if path.name == "topics.py" and path.parent.name == "pydoc_data":
        return list(_topics(tree))
    return list(_docstrings(tree, ""))


def _docstrings(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, place: str) -> Iterator[Text]:
    """Yield the docstring of a node and of every class and function inside it."""
    text = ast.get_docstring(node)
    if text and text.strip():
        yield Text(text.encode("utf-8", "replace").decode("utf-8"), place, "docstring")
    for child in _definitions(node.body):
        yield from _docstrings(child, f"{place}.{child.name}" if place else child.name)


def _definitions(body: Iterable[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the classes and functions of a body, also those under ``if``, ``try`` and ``with``."""
    for statement in body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _definitions(getattr(statement, name, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from _definitions(handler.body)


def _topics(tree: ast.Module) -> Iterator[Text]:
    """Yield the language topics: the entries of the one dictionary of texts in ``pydoc_data.topics``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield Text(value.value.strip(), str(key.value), "topic")


def _chunks(rows: Iterator[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    part: list[dict[str, str]] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
