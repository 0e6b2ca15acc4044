"""Each boundary that import-linter does not see has one owner: Streamlit, SQL, session state, packaging."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("data", "analytics", "app")
FILES = [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]
APP = [path for path in FILES if path.is_relative_to(ROOT / "app")]
LONGEST = 450


def imports(path: Path) -> Iterator[str]:
    """Yield every imported module, also those imported inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_only_the_app_imports_streamlit() -> None:
    using = {path for path in FILES for name in imports(path) if name.split(".")[0] == "streamlit"}
    assert using and using <= set(APP)


def test_the_app_holds_no_database_and_no_sql() -> None:
    statement = re.compile(r"\b(SELECT\s.+\sFROM|CREATE TABLE|GROUP BY|ORDER BY)\b")
    for path in APP:
        assert "duckdb" not in {name.split(".")[0] for name in imports(path)}, path.name
        texts = (node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant))
        assert not [text for text in texts if isinstance(text, str) and statement.search(text)], path.name


@pytest.mark.parametrize(
    ("word", "owner"), [("session_state", "session.py"), ("cache_data", "cache.py"), ("cache_resource", "cache.py")]
)
def test_one_file_owns_each_kind_of_state(word: str, owner: str) -> None:
    attributes = {
        path.name
        for path in APP
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == word
    }
    assert attributes <= {owner}


def test_every_folder_with_python_files_is_packaged() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT).as_posix() for path in FILES}
    assert {name.removeprefix("tamis.").replace(".", "/") for name in setup["packages"]} == folders
    assert setup["package-dir"] == {f"tamis.{floor}": floor for floor in FLOORS}
    assert {(ROOT / ".typing" / "tamis" / floor).resolve() for floor in FLOORS} == {ROOT / floor for floor in FLOORS}


def test_every_file_that_is_read_at_run_time_is_packaged() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    folders = {name: ROOT / name.removeprefix("tamis.").replace(".", "/") for name in data}
    shipped = {path for name, patterns in data.items() for each in patterns for path in folders[name].glob(each)}
    others = {path for floor in FLOORS for path in (ROOT / floor).rglob("*.*") if "__pycache__" not in path.parts}
    assert {path for path in others if path.suffix != ".py" and path.is_file()} == shipped


def run_alone(code: str) -> list[str]:
    """Return the words that Python code prints in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


IMPORT_ALL = "\n".join(
    f"import {'.'.join(('tamis', *path.relative_to(ROOT).with_suffix('').parts))}"
    for path in FILES
    # The layers of a model are classes of torch; only training loads them, late.
    if path not in APP and path.stem not in ("__init__", "proxy_model")
)


def test_analytics_loads_no_library_that_it_needs_for_one_task_alone() -> None:
    # Every process pays for what is imported; ``pa.array([])`` at the top of a module is enough to load pandas.
    loaded = run_alone(f"{IMPORT_ALL}\nimport sys\nprint(*sys.modules)")
    assert not {"pandas", "torch", "streamlit", "hdbscan", "umap", "sklearn"} & set(loaded)


def test_the_operators_alone_register_every_measure() -> None:
    listed = "from tamis.analytics.steps.measures import MEASURES\nprint(*sorted(kind.name for kind in MEASURES))"
    alone = run_alone(f"import tamis.analytics.operators\n{listed}")
    assert "near_pairs" in alone and alone == run_alone(f"{IMPORT_ALL}\n{listed}")


def test_nothing_is_pickled() -> None:
    for path in FILES:
        names = {name.split(".")[0] for name in imports(path)}
        assert not names & {"pickle", "joblib", "dill", "cloudpickle", "shelve"}, path.name


def test_no_module_is_called_after_nothing() -> None:
    assert not {path.stem for path in FILES} & {"utils", "common", "helpers", "misc", "base"}


def test_no_file_is_too_long_to_read_at_once() -> None:
    assert not {path.name: lines for path in FILES if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST}


def test_a_class_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    assert not {name: files for name, files in homes.items() if len(files) > 1}


def test_an_import_inside_a_function_says_what_it_waits_for() -> None:
    # A comment above it names the heavy or optional library; one comment serves the imports below it.
    for path in FILES:
        lines = path.read_text("utf-8").splitlines()
        functions = (node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.FunctionDef))
        inside = (node for function in functions for node in ast.walk(function))
        for node in inside:
            if isinstance(node, ast.Import | ast.ImportFrom):
                above = node.lineno - 2
                while re.match(r"\s+(from .* import|import) |\s+\w[\w, ]*,?$|\s+\)$", lines[above]):
                    above -= 1
                assert lines[above].strip().startswith("# "), f"{path.relative_to(ROOT)}:{node.lineno}"
