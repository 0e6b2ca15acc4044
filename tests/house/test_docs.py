"""The documentation says what the code does: generated parts are current, examples run, links lead somewhere."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import pytest
from docstrings import docstrings, write_corpus
from typer.testing import CliRunner

import tamis.analytics as ta
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.signals.signal import SIGNALS
from tamis.app.cli.docs import commands, generated_pages, generated_parts, with_parts
from tamis.app.cli.main import app
from tamis.app.pages.navigation import PAGES as DASHBOARD
from tamis.data.workspace import Workspace

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def example(name: str) -> str:
    """Return the code block of the README that a test is named for."""
    found = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found.group(1)


@pytest.mark.parametrize("name", sorted(generated_pages(app)))
def test_a_generated_page_is_current(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == generated_pages(app)[name], "run: tamis docs"


def test_the_generated_parts_of_the_readme_are_current() -> None:
    assert with_parts(README, generated_parts()) == README, "run: tamis docs"


def test_every_command_says_what_it_does() -> None:
    for name, command in commands(app).items():
        assert command.help, name
        for option in command.params:
            assert getattr(option, "help", None), f"{name} {option.name}"


def test_the_example_recipe_runs_in_the_example_notebook(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(example("recipe"), "utf-8")
    write_corpus(tmp_path / "corpus", docstrings(("json", "collections")))
    code = example("notebook")
    assert len([line for line in code.splitlines() if line]) == 5
    exec(compile(code, "README.md", "exec"), {})
    steps = [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]]
    assert steps == ["input", "long-enough", "words-not-tables", "once"]
    assert (tmp_path / "curated" / "run.json").is_file()


def test_the_example_of_the_quality_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "quality.md").read_text("utf-8")
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    exec(compile(code, "quality.md", "exec"), {})
    assert "gopher-quality" in capsys.readouterr().out


def test_the_page_on_python_describes_the_whole_face_and_no_more() -> None:
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    assert set(re.findall(r"^\| `ta\.(\w+)", page, re.MULTILINE)) == set(ta.__all__)
    methods = {name for name, _ in inspect.getmembers(ta.NotebookStudy, inspect.isfunction) if not name.startswith("_")}
    assert set(re.findall(r"^\| `study\.(\w+)", page, re.MULTILINE)) == methods


def test_the_commands_of_the_tour_run_in_their_order(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "corpus", docstrings(("json", "collections")))
    (tmp_path / "recipe.yaml").write_text(example("recipe"), "utf-8")
    lines = [shlex.split(line, comments=True) for line in (example("tour") + example("prepare")).splitlines()]
    for program, *arguments in lines:
        result = CliRunner().invoke(app, arguments)
        assert (program, result.exit_code) == ("tamis", 0), (arguments, result.output, result.exception)
    assert (tmp_path / "out" / "run.json").is_file() and (tmp_path / "prepared" / "prepare.json").is_file()


def test_every_operator_and_signal_is_documented_under_its_name() -> None:
    operators = (ROOT / "docs" / "operators.md").read_text("utf-8")
    signals = (ROOT / "docs" / "signals.md").read_text("utf-8")
    assert not [kind.name for kind in OPERATORS if f"### {kind.name}\n" not in operators]
    # Plugins that other tests have loaded into this process are nobody's documentation.
    own = [signal.key for signal in SIGNALS if signal.step != "plugins"]
    assert not [key for key in own if f"`{key}`" not in signals]


def test_every_page_of_the_dashboard_is_described_in_the_order_of_the_navigation() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "dashboard.md").read_text("utf-8"), re.MULTILINE)
    titles = [title for _, title, _ in DASHBOARD]
    assert [heading for heading in headings if heading in titles] == titles


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
