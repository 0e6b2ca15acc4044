"""Pages of the documentation made from the registries: ``tamis docs`` writes them, the tests check them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import typer
from typer.main import get_command

from tamis.data.errors import SettingError
from tamis.data.parquet import write_bytes

BEGIN, END = "<!-- generated: {name} -->", "<!-- end: {name} -->"


def generated_pages(app: typer.Typer) -> dict[str, str]:
    """Return the generated pages by path below the project's root; ``app`` holds the commands."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.reference_docs import operator_docs, signal_docs

    return {
        "docs/operators.md": operator_docs(),
        "docs/signals.md": signal_docs(),
        "docs/commands.md": command_docs(app),
    }


def generated_parts() -> dict[str, str]:
    """Return the generated parts of the README by name."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.recipe.reference_docs import operator_table

    return {"operators": operator_table()}


def command_docs(app: typer.Typer) -> str:
    """Return the page of all commands with their options."""
    lines = ["# Commands", "", "Every command of `tamis`. Made by `tamis docs` from the commands themselves.", ""]
    for name, command in sorted(commands(app).items()):
        lines += [f"## tamis {name}", "", (command.help or "").strip(), ""]
        options = [parameter for parameter in command.params if parameter.name != "help"]
        if options:
            lines += ["| option | meaning |", "|---|---|"]
            lines += [f"| {_usage(option)} | {getattr(option, 'help', None) or ''} |" for option in options]
            lines.append("")
    return "\n".join(lines)


def commands(app: typer.Typer) -> dict[str, typer.core.TyperCommand]:
    """Return the commands by name, those of a group as ``group command``."""
    return dict(_flat(get_command(app), ""))


def _flat(group: object, before: str) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    known: Mapping[str, typer.core.TyperCommand] = getattr(group, "commands", {})
    for name, command in known.items():
        if hasattr(command, "commands"):
            yield from _flat(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def _usage(option: object) -> str:
    names = getattr(option, "opts", [])
    if getattr(option, "param_type_name", "") == "argument":
        return f"`{str(getattr(option, 'name', '')).upper()}`"
    return ", ".join(f"`{name}`" for name in names)


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """Return a page with its generated parts replaced.

    Raises:
        SettingError: a mark is missing.
    """
    for name, part in parts.items():
        begin, end = BEGIN.format(name=name), END.format(name=name)
        if begin not in text or end not in text:
            raise SettingError("The page has no place for a generated part", value=name, allowed=f"{begin} ... {end}")
        head, rest = text.split(begin, 1)
        tail = rest.split(end, 1)[1]
        text = f"{head}{begin}\n{part.strip()}\n{end}{tail}"
    return text


def write_docs(root: Path, app: typer.Typer) -> list[Path]:
    """Write the generated pages that changed and return those files.

    Raises:
        SettingError: the folder is not the project's root.
    """
    readme = root / "README.md"
    if not (readme.is_file() and (root / "docs").is_dir()):
        raise SettingError("This is not the project's folder", value=str(root), fix="run it where README.md is")
    wanted = {root / name: text for name, text in generated_pages(app).items()}
    wanted[readme] = with_parts(readme.read_text("utf-8"), generated_parts())
    changed = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in changed:
        write_bytes(path, wanted[path].encode())
    return changed
