"""The documentation says what the code does: generated parts are current, examples run, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docstrings import docstrings, write_corpus

from tamis.analytics.recipe import Recipe
from tamis.app.cli import app
from tamis.app.docs import commands, generated_pages, generated_parts, with_parts
from tamis.data.workspace import Workspace

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def example(name: str) -> str:
    """Return the code block of the README that a test is named for."""
    found = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found.group(1)


@pytest.mark.parametrize("name", sorted(generated_pages()))
def test_a_generated_page_is_current(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == generated_pages()[name], "run: tamis docs"


def test_the_generated_parts_of_the_readme_are_current() -> None:
    assert with_parts(README, generated_parts()) == README, "run: tamis docs"


def test_every_command_says_what_it_does() -> None:
    for name, command in commands(app).items():
        assert command.help, name
        for option in command.params:
            assert getattr(option, "help", None), f"{name} {option.name}"


def test_the_example_recipe_runs_in_the_example_notebook(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    text = example("recipe")
    corpus = write_corpus(tmp_path / "corpus", docstrings(("json", "collections")))
    exec(compile(example("notebook"), "README.md", "exec"), {"path": str(corpus), "text": text})
    kept, _, total = capsys.readouterr().out.split()
    assert 0 < int(kept) < int(total)
    assert [step.id for step in Recipe.from_yaml(text)] == ["long-enough", "words-not-tables", "once"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
