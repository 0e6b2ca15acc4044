"""The layers hold: data knows nothing of analytics, analytics nothing of the app, and each boundary has one file."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("data", "analytics", "app")
FILES = [path for layer in LAYERS for path in sorted((ROOT / layer).glob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Yield every imported module, also those imported inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_layer_imports_only_itself_and_those_below(path: Path) -> None:
    above = LAYERS[LAYERS.index(path.parent.name) + 1 :]
    assert not [name for name in imports(path) for layer in above if name.startswith(f"tamis.{layer}")]


def test_only_the_app_imports_streamlit() -> None:
    using = {path.parent.name for path in FILES for name in imports(path) if name.split(".")[0] == "streamlit"}
    assert using == {"app"}


def test_the_app_holds_no_database_and_no_sql() -> None:
    statement = re.compile(r"\b(SELECT\s.+\sFROM|CREATE TABLE|GROUP BY|ORDER BY)\b")
    for path in (ROOT / "app").glob("*.py"):
        assert "duckdb" not in {name.split(".")[0] for name in imports(path)}, path.name
        texts = (node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant))
        assert not [text for text in texts if isinstance(text, str) and statement.search(text)], path.name


@pytest.mark.parametrize(
    ("word", "owner"), [("session_state", "session.py"), ("cache_data", "cache.py"), ("cache_resource", "cache.py")]
)
def test_one_file_owns_each_kind_of_state(word: str, owner: str) -> None:
    attributes = {
        path.name
        for path in (ROOT / "app").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == word
    }
    assert attributes <= {owner}


def test_every_folder_with_python_files_is_packaged() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT).as_posix() for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    assert {setup["package-dir"][name] for name in setup["packages"]} == folders
    assert {(ROOT / ".typing" / "tamis" / layer).resolve() for layer in LAYERS} == {ROOT / layer for layer in LAYERS}


def test_nothing_is_pickled() -> None:
    for path in FILES:
        names = {name.split(".")[0] for name in imports(path)}
        assert not names & {"pickle", "joblib", "dill", "cloudpickle", "shelve"}, path.name


def test_no_module_is_called_after_nothing() -> None:
    assert not {path.stem for path in FILES} & {"utils", "common", "helpers", "misc", "base"}
