"""The wheel holds the whole of Tamis: installed where no source is, it makes and analyses the demo corpus."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("app", "analytics", "data")


def run(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    """Return what a command prints, standard error included; it sees nothing of this source tree."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
    environment |= {} if home is None else {"TAMIS_HOME": str(home)}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources, without network."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, source / floor, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", out, source, cwd=out)
    [built] = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name.removeprefix("tamis/") for name in archive.namelist() if name.startswith("tamis/")}
        others = {name.split("/")[0] for name in archive.namelist() if not name.startswith("tamis/")}
    files = {path.relative_to(ROOT).as_posix() for floor in FLOORS for path in (ROOT / floor).rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert held == files
    assert {Path(name).suffix for name in held} >= {".py", ".js", ".css", ".j2", ".svg", ".toml", ".txt", ".typed"}
    assert len(others) == 1 and others.pop().endswith(".dist-info")


@pytest.fixture(scope="module")
def python(wheel: Path, request: pytest.FixtureRequest) -> Path:
    """Make an environment that holds the wheel alone, and the libraries of this one behind it; return its Python."""
    folder = Path(request.config.cache.mkdir("wheel-environment"))
    venv.create(folder, clear=True, with_pip=False, symlinks=True)
    found = folder / "bin" / "python"
    options = ("--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", found, "install", *options, wheel, cwd=folder)
    [packages] = (folder / "lib").glob("python*/site-packages")
    # A line of a .pth file adds the folder and none of the .pth files in it: an editable Tamis stays out.
    # Numba finds compiled kernels again by the path and the time of a file: equal ones spare the next run a minute.
    for path in (packages / "tamis").rglob("*.py"):
        os.utime(path, (0, 0))
    (packages / "libraries.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n", "utf-8")
    return found


def test_an_empty_environment_with_the_wheel_makes_and_analyses_the_demo(python: Path, tmp_path: Path) -> None:
    pages = "import tamis, tamis.app.server.routes, tamis.app.pages.navigation as n; print(*tamis.__path__, n.__file__)"
    where = run(python, "-W", "ignore", "-c", pages, cwd=tmp_path).splitlines()[-1]
    assert all(Path(path).is_relative_to(python.parents[1]) for path in where.split()), where
    only = ("--only", "jinja2", "--only", "markupsafe")
    home = tmp_path / "home"
    said = run(python.parent / "tamis", "demo", *only, "--analyze", "--tier", "fast", cwd=tmp_path, home=home)
    assert "demo: " in said and "steps to do" in said
    made = [json.loads(path.read_bytes()) for path in (home / "store" / "artifacts").glob("*/manifest.json")]
    assert {"embeddings", "clusters", "facts"} <= {each["key"]["step"] for each in made}
