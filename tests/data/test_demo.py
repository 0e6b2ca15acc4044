"""The demo corpus: deterministic, never importing, honest about what it cannot read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from tamis.data.demo import STANDARD_LIBRARY, SourceTree, build_demo, installed_sources, read_texts
from tamis.data.errors import CorpusError

MODULE = '''"""Top of the module."""

raise SystemExit("this file must never be imported")


class Pot:
    """Hold things."""

    async def stir(self):
        """Stir slowly."""

        def inner():
            """Hide inside."""


if True:
    try:
        def boil():
            """Boil water."""
    except ImportError:
        def boil():
            """Boil water."""
'''
TOPICS = "topics = {'assert': 'The assert statement.', 'break': 'The break statement.'}\n"


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    root = tmp_path / "lib"
    (root / "pydoc_data").mkdir(parents=True)
    (root / "pot.py").write_text(MODULE, "utf-8")
    (root / "pydoc_data" / "topics.py").write_text(TOPICS, "utf-8")
    (root / "broken.py").write_bytes(b'"""\xff\xfe"""\nclass :\n')
    return SourceTree("kitchen", "1.0", "MIT", "# Kitchen\n\nA long description.", root, _files(root))


def _files(root: Path) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py")))


def test_every_docstring_topic_and_description_becomes_one_document(tree: SourceTree, tmp_path: Path) -> None:
    report = build_demo(tmp_path / "demo", sources=[tree], workers=1)
    rows = pq.read_table(report.shards[0]).to_pylist()
    assert [(row["kind"], row["path"], row["text"]) for row in rows] == [
        ("description", "METADATA", "# Kitchen\n\nA long description."),
        ("docstring", "pot.py", "Top of the module."),
        ("docstring", "pot.py:Pot", "Hold things."),
        ("docstring", "pot.py:Pot.stir", "Stir slowly."),
        ("docstring", "pot.py:Pot.stir.inner", "Hide inside."),
        ("docstring", "pot.py:boil", "Boil water."),
        ("docstring", "pot.py:boil", "Boil water."),
        ("topic", "pydoc_data/topics.py:assert", "The assert statement."),
        ("topic", "pydoc_data/topics.py:break", "The break statement."),
    ]
    assert {(row["source"], row["licence"], row["version"]) for row in rows} == {("kitchen", "MIT", "1.0")}


def test_files_that_cannot_be_parsed_are_reported_and_the_others_read(tree: SourceTree, tmp_path: Path) -> None:
    report = build_demo(tmp_path / "demo", sources=[tree], workers=1)
    assert report.files == 3
    assert report.unreadable == ["kitchen/broken.py: cannot be parsed (SyntaxError)"]


def test_the_same_sources_give_the_same_bytes_and_a_finished_demo_is_left_alone(
    tree: SourceTree, tmp_path: Path
) -> None:
    first = build_demo(tmp_path / "one", sources=[tree], workers=1)
    second = build_demo(tmp_path / "two", sources=[tree], workers=2)
    assert [path.read_bytes() for path in first.shards] == [path.read_bytes() for path in second.shards]
    before = first.shards[0].stat().st_mtime_ns
    again = build_demo(tmp_path / "one", sources=[tree], workers=1)
    assert (again.documents, again.shards[0].stat().st_mtime_ns) == (first.documents, before)


def test_a_changed_version_is_built_anew(tree: SourceTree, tmp_path: Path) -> None:
    build_demo(tmp_path / "demo", sources=[tree], workers=1)
    newer = SourceTree("kitchen", "2.0", "MIT", "", tree.root, tree.files)
    report = build_demo(tmp_path / "demo", sources=[newer], workers=1)
    assert set(pq.read_table(report.shards[0]).column("version").to_pylist()) == {"2.0"}


def test_a_corpus_of_other_versions_is_kept_when_asked_and_says_so(tree: SourceTree, tmp_path: Path) -> None:
    first = build_demo(tmp_path / "demo", sources=[tree], workers=1)
    newer = SourceTree("kitchen", "2.0", "MIT", "", tree.root, tree.files)
    kept = build_demo(tmp_path / "demo", sources=[newer], workers=1, renew=False)
    assert first.current
    assert not kept.current
    assert kept.documents == first.documents
    assert set(pq.read_table(kept.shards[0]).column("version").to_pylist()) == {"1.0"}


def test_a_folder_of_other_files_is_refused(tree: SourceTree, tmp_path: Path) -> None:
    (tmp_path / "precious.parquet").write_bytes(b"not ours")
    with pytest.raises(CorpusError, match="already holds Parquet files"):
        build_demo(tmp_path, sources=[tree], workers=1)
    assert (tmp_path / "precious.parquet").read_bytes() == b"not ours"


def test_this_environment_lists_the_standard_library_once_and_not_tamis() -> None:
    names = [tree.name for tree in installed_sources()]
    assert names == sorted(set(names))
    assert STANDARD_LIBRARY in names
    assert "pyarrow" in names
    assert "tamis" not in names


def test_a_missing_file_gives_a_reason(tmp_path: Path) -> None:
    assert read_texts(tmp_path / "gone.py") == "No such file or directory"


def test_only_the_named_distributions_are_read_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    found = installed_sources(["Typing_Extensions", STANDARD_LIBRARY])
    assert [tree.name for tree in found] == [STANDARD_LIBRARY, "typing-extensions"]
    with pytest.raises(CorpusError, match=r"got 'jinja3'.*did you mean jinja2"):
        installed_sources(["jinja3"])


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_demo_leaves_no_process(tmp_path: Path, ending: signal.Signals) -> None:
    program = "from tamis.app.cli.main import main; main()"
    command = [sys.executable, "-c", program, "demo", "--out", str(tmp_path / "demo"), "--only", STANDARD_LIBRARY]
    environment = {**os.environ, "TAMIS_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        workers: list[psutil.Process] = []
        # A worker that is still starting ends by itself: wait for one that parses.
        while started.poll() is None and not any(worker.cpu_times().user > 1.5 for worker in workers):
            workers = psutil.Process(started.pid).children(recursive=True)
            time.sleep(0.05)
        assert started.poll() is None
        started.send_signal(ending)
        assert started.wait() == -ending
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert not alive
    assert not list((tmp_path / "demo").glob("demo.version"))
