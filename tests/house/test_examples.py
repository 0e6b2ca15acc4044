"""The examples of the face for notebooks run as they stand, in the folder that its docstring makes."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import tamis.analytics as ta
from tamis.data.workspace import Workspace

MODULES = [import_module(name) for name in sorted({"tamis.analytics", *ta._HOMES.values()})]
FACE = {name: getattr(ta, name) for name in ta.__all__}


def examples(module: ModuleType) -> list[doctest.DocTest]:
    """Return the examples of a module, the face at hand as ``ta``."""
    found = doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"ta": ta})
    return [test for test in found if test.examples]


def run(test: doctest.DocTest) -> None:
    report: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append)
    assert not failed, "".join(report)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.removeprefix("tamis."))
def test_examples_run_as_they_stand(
    module: ModuleType, tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [files] = examples(ta)
    run(files)
    for test in examples(module):
        if module is not ta:
            run(test)


@pytest.mark.parametrize("name", ta.__all__)
def test_every_public_name_has_an_example(name: str) -> None:
    assert ">>>" in (inspect.getdoc(FACE[name]) or ""), name


@pytest.mark.parametrize("kind", [ta.Funnel, ta.Listing, ta.NotebookStudy], ids=lambda kind: str(kind.__name__))
def test_every_method_that_notebooks_call_has_an_example(kind: type) -> None:
    methods = inspect.getmembers(kind, inspect.isfunction)
    missing = [name for name, each in methods if not name.startswith("_") and ">>>" not in (inspect.getdoc(each) or "")]
    assert not missing
