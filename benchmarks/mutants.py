"""How many small faults the tests notice: ``python -m benchmarks.mutants [MODULE ...] [--seed N] [--at-most N]``

Each mutant is a module with one changed comparison, operator, constant, condition, return or call. The tests that cover
the module run against it until the first one fails: the mutant is killed. What survives is a fault nobody would see,
or no fault at all. Sources stay as they are: the changed module lives in a process of its own. Its kernels
are compiled anew, since numba finds machine code by the file and not by what was changed in memory.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).resolve().parents[1]
TESTS = {
    "analytics/recipe/plan.py": ("recipe/test_plan.py",),
    "analytics/recipe/outcome.py": ("recipe/test_outcome.py",),
    "analytics/recipe/ledger.py": ("recipe/test_ledger.py",),
    "analytics/duplicates/greedy_star.py": ("duplicates/test_star.py::test_star_decides_as_plain_python_does",),
    "analytics/export/curated.py": ("export/test_recipe_curate.py",),
    "data/curated.py": ("data/test_data_curated.py",),
}
"""The tests that cover each module and are quick; slower ones, such as the laws of the registry, may kill more."""
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq},
    **{ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.BitOr: ast.BitAnd},
    **{ast.BitAnd: ast.BitOr, ast.RShift: ast.LShift, ast.LShift: ast.RShift, ast.USub: ast.UAdd},
}


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    line: int
    before: str
    after: str
    code: CodeType


def changes(tree: ast.Module) -> Iterator[tuple[ast.AST, Callable[[], None]]]:
    """Yield every change of a module: the node that it changes and what makes it. Types and messages are left out."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield from ((node, change) for change in _changes(node))
        if isinstance(node, ast.AnnAssign):
            todo += [node.value] if node.value else []
        elif not isinstance(node, ast.Raise | ast.arg):
            skipped = [*getattr(node, "decorator_list", ()), getattr(node, "returns", None)]
            todo += [child for child in ast.iter_child_nodes(node) if child not in skipped]


def _changes(node: ast.AST) -> Iterator[Callable[[], None]]:
    def put(name: str, value: object) -> Callable[[], None]:
        return lambda: setattr(node, name, value)

    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        yield put("ops", [SWAPPED[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.AugAssign) and type(node.op) in SWAPPED:
        yield put("op", SWAPPED[type(node.op)]())
    elif isinstance(node, ast.UnaryOp):
        yield put("operand", ast.UnaryOp(node.op, node.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield put("value", not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.If | ast.IfExp):
        yield put("test", ast.UnaryOp(ast.Not(), node.test))
    elif (isinstance(node, ast.Return) and node.value) or _is_call(node):
        yield put("value", ast.Constant(None))


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def mutants(path: Path, *, seed: int, at_most: int) -> list[Mutant]:
    """Return some changes of a file, drawn by a seed, in the order of its lines."""
    text = path.read_text()
    every = range(sum(1 for _ in changes(ast.parse(text))))
    drawn = sorted(random.Random(f"{seed} {path.name}").sample(every, min(at_most, len(every))))
    return sorted((_mutant(text, path, number) for number in drawn), key=lambda mutant: mutant.line)


def _mutant(text: str, path: Path, number: int | None) -> Mutant:
    """Return a change by its number, or the module as it is."""
    tree, line, before, after = ast.parse(text), 0, "", ""
    if number is not None:
        node, change = list(changes(tree))[number]
        line, before = node.lineno, ast.unparse(node).splitlines()[0]  # type: ignore[attr-defined]
        change()
        after = ast.unparse(node).splitlines()[0]
    for word in ast.walk(tree):
        if isinstance(word, ast.keyword) and word.arg == "cache":
            word.value = ast.Constant(False)
    return Mutant(line, before, after, compile(ast.fix_missing_locations(tree), str(path), "exec"))


class Changed:
    """Finds one module by its changed code."""

    def __init__(self, name: str, code: CodeType, path: Path) -> None:
        self.name, self.code, self.path = name, code, path

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Return where the module is found, None for every other one."""
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        exec(self.code, module.__dict__)


def run_tests(module: str, mutant: Mutant) -> None:
    """Run the tests of a module in this process and leave with pytest's status."""
    from hypothesis import Phase, settings

    settings.register_profile("mutants", deadline=None, database=None, phases=[Phase.explicit, Phase.generate])
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.meta_path.insert(0, Changed(_name(module), mutant.code, ROOT / module))  # type: ignore[arg-type]
    tests = [str(ROOT / "tests" / test) for test in TESTS[module]]
    options = ["-x", "-q", "--hypothesis-profile=mutants", "--hypothesis-seed=0"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    os._exit(int(pytest.main([*options, *tests])))


def load(module: str) -> None:
    """Import what a module imports, once for all its mutants, but leave the module itself to be imported."""
    package, _, name = _name(module).rpartition(".")
    importlib.import_module(f"{package}.{name}")
    del sys.modules[f"{package}.{name}"]
    delattr(sys.modules[package], name)


def _name(module: str) -> str:
    return "tamis." + module.removesuffix(".py").replace("/", ".")


def killed(module: str, mutant: Mutant, *, seconds: float) -> bool:
    """Return whether a test fails, or the tests do not end in time."""
    process = multiprocessing.get_context("fork").Process(target=run_tests, args=(module, mutant))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode != 0


def score(module: str, *, seed: int, at_most: int) -> None:
    """Print the row of a module, and on the error stream what survives as soon as it does."""
    load(module)
    start = time.monotonic()
    if killed(module, _mutant((ROOT / module).read_text(), ROOT / module, None), seconds=900):
        raise SystemExit(f"The tests of {module} fail without any change")
    seconds = max(60.0, 4 * (time.monotonic() - start))
    drawn, left = mutants(ROOT / module, seed=seed, at_most=at_most), 0
    for mutant in drawn:
        if not killed(module, mutant, seconds=seconds):
            left += 1
            print(f"{module}:{mutant.line}  {mutant.before}  ->  {mutant.after}", file=sys.stderr, flush=True)
    print(f"| `{module}` | {len(drawn)} | {len(drawn) - left} | {1 - left / len(drawn):.0%} |", flush=True)


def main() -> None:
    """Print a row a module, each from a process that has loaded nothing that imports the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TESTS), metavar="MODULE", choices=[[], *TESTS])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-most", type=int, default=25, help="mutants per module")
    chosen = parser.parse_args()
    os.nice(10)
    os.environ.update(NUMBA_NUM_THREADS="2", OMP_NUM_THREADS="2")
    for library in ("duckdb", "numba", "pyarrow.parquet", "pyarrow.compute", "hypothesis", "pytest", "playwright"):
        importlib.import_module(library)
    print("| module | mutants | killed | share |\n|---|---:|---:|---:|", flush=True)
    for module in chosen.modules:
        options = {"seed": chosen.seed, "at_most": chosen.at_most}
        process = multiprocessing.get_context("fork").Process(target=score, args=(module,), kwargs=options)
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
