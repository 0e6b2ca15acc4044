"""Compiled kernels are never older than anything that is compiled into them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tamis.analytics
from tamis.analytics.text import kernel_cache
from tamis.analytics.text.kernel_cache import KEPT, PREFIX, compiled_sources, prune, sources_digest, use_kernel_cache

PACKAGE = Path(tamis.analytics.__file__).parent
TOY = {
    "constant.py": "# Kernels compile these values in.\nADDED = 1\n",
    "shared.py": """
from numba import njit
from toy.constant import ADDED

@njit(cache=True)
def add(number):
    return number + ADDED
""",
    "kernel.py": """
from numba import njit
from toy.shared import add

@njit(cache=True)
def twice(number):
    return 2 * add(number)
""",
    "__init__.py": """
from pathlib import Path
from tamis.analytics.text.kernel_cache import use_kernel_cache
use_kernel_cache(Path(__file__).parent)
""",
}
RUN = "from toy.kernel import twice; print(twice(3), sum(twice.stats.cache_hits.values()))"


def _write_toy(root: Path) -> None:
    (root / "toy").mkdir()
    for name, text in TOY.items():
        (root / "toy" / name).write_text(text)


def _run(root: Path, code: str = RUN, **environment: str) -> str:
    paths = os.pathsep.join([str(root), *sys.path])
    settings = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(root / "cache"), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=settings, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "old", "new"), [("shared.py", "number + ADDED", "number + 100 * ADDED"), ("constant.py", "= 1", "= 100")]
)
def test_a_kernel_sees_the_change_of_what_another_file_compiles_into_it(
    tmp_path: Path, name: str, old: str, new: str
) -> None:
    _write_toy(tmp_path)
    assert [_run(tmp_path), _run(tmp_path)] == ["8 0", "8 1"]  # the second process takes over what the first compiled
    changed = tmp_path / "toy" / name
    first = changed.read_text()
    changed.write_text(first.replace(old, new))
    assert _run(tmp_path) == "206 0"
    changed.write_text(first)
    assert _run(tmp_path) == "8 1"


def test_a_child_process_and_an_early_import_of_numba_use_the_same_folder(tmp_path: Path) -> None:
    _write_toy(tmp_path)
    code = "import os, toy; print(os.environ['NUMBA_CACHE_DIR'])"
    folder = _run(tmp_path, code)
    assert Path(folder).parent == tmp_path / "cache"
    assert _run(tmp_path, code, NUMBA_CACHE_DIR=folder) == folder
    early = "import numba, toy.kernel; print(toy.kernel.twice.stats.cache_path)"
    assert Path(_run(tmp_path, early)).parent == Path(folder)


def test_a_folder_that_cannot_be_written_is_replaced_by_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "a-file"))
    monkeypatch.setattr(kernel_cache.tempfile, "tempdir", str(tmp_path))
    # Every kernel of this process is decorated already or stays where this one puts it.
    monkeypatch.delitem(sys.modules, "numba")
    folder = use_kernel_cache(PACKAGE)
    assert folder.is_dir() and folder.parent.parent == tmp_path and folder.name.startswith(PREFIX)
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_the_user_cache_folder_is_taken_where_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(kernel_cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "numba")
    assert use_kernel_cache(PACKAGE).parent == tmp_path / "tamis"


def test_the_digest_follows_from_names_contents_and_compilers(tmp_path: Path) -> None:
    _write_toy(tmp_path)
    toy = tmp_path / "toy"
    digests = [sources_digest(toy, compilers=["a 1"]), sources_digest(toy, compilers=["a 2"])]
    (toy / "prose.py").write_text("'No kernel: nothing is compiled again.'\n")
    assert sources_digest(toy, compilers=["a 1"]) == digests[0]
    (toy / "shared.py").rename(toy / "common.py")
    digests.append(sources_digest(toy, compilers=["a 1"]))
    assert len(set(digests)) == 3


def test_only_folders_long_out_of_use_are_removed(tmp_path: Path) -> None:
    day, now = 86_400.0, 1e9
    folders = [tmp_path / f"{PREFIX}{number:02}" for number in range(KEPT + 4)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "code.nbc").write_bytes(b"code")
        # The first is new, the last one but two is a moment within its day.
        age = [day + 1 + number, day][number == KEPT + 1] if number else 0.0
        os.utime(folder, (now - age, now - age))
    (tmp_path / "other").mkdir()
    prune(folders[0])
    gone = {folder.name for folder in folders if not folder.exists()}
    assert gone == {folders[number].name for number in (KEPT - 1, KEPT, KEPT + 2, KEPT + 3)}
    assert (tmp_path / "other").exists()


def _kernels(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and any("njit" in ast.unparse(mark) for mark in node.decorator_list):
            yield node


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _imported_by_kernels(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of everything of this project that kernels of a file read, also through other values."""
    imported: dict[str, tuple[str, str]] = {}
    values: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values |= {name: _names(node.value) for target in targets for name in _names(target)}
        elif isinstance(node, ast.FunctionDef):
            values[node.name] = {name for line in node.body for name in _names(line)}
    seen = {kernel.name for kernel in _kernels(tree)}
    todo = list(seen)
    while todo:
        name = todo.pop()
        if imported.get(name, ("",))[0].startswith("tamis."):
            yield imported[name]
        new = values.get(name, set()) - seen
        seen |= new
        todo += new


def test_kernels_read_values_only_from_files_that_are_part_of_the_digest() -> None:
    sources = compiled_sources(PACKAGE)
    parts = {f"tamis.analytics.{name.removesuffix('.py').replace('/', '.')}" for name in sources}
    read = {
        (f"{name}: {value}", module)
        for name, content in sources.items()
        for module, value in _imported_by_kernels(ast.parse(content))
    }
    assert len(read) > 50
    assert {value for value, module in read if module not in parts} == set()


def test_every_kernel_of_the_project_is_kept_below_the_folder_of_their_digest() -> None:
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.name.startswith(PREFIX)
    found = 0
    for module in [module for name, module in sys.modules.items() if name.startswith("tamis.analytics.")]:
        for value in vars(module).values():
            if hasattr(value, "py_func") and value.__module__ == module.__name__:
                assert Path(value.stats.cache_path).parent == folder
                found += 1
    assert found > 50


def test_warming_up_compiles_every_kernel_that_is_called_from_python(tmp_path: Path) -> None:
    """What kernels call is compiled with them; what is written out inside them is never compiled alone."""
    inner = set()
    for content in compiled_sources(PACKAGE).values():
        for kernel in _kernels(ast.parse(content)):
            inner |= {name for line in kernel.body for name in _names(line)}
    code = (
        "from pathlib import Path; from tamis.app.jobs import warm_up; import sys\n"
        "warm_up.warm_up(Path(sys.argv[1]))\n"
        "print(*(f'{name}={ready}' for name, ready in warm_up.kernels().items()))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    ready = dict(item.split("=") for item in done.stdout.splitlines()[-1].split())
    called = {name: value for name, value in ready.items() if name.rpartition(".")[2] not in inner}
    assert len(called) > 50
    assert [name for name, value in called.items() if value != "True"] == []
