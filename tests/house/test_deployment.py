"""The files for servers name what exists: paths, commands, variables, extras. Checked without a container engine."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tamis.app.cli.docs import commands
from tamis.app.cli.main import app
from tamis.app.server.gate import HEALTH, SECRET, SECRET_HEADER, USER_HEADER, Gate
from tamis.data.reviews import ADDRESS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
COMPOSE: dict[str, Any] = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text("utf-8"))
OWN = {"TAMIS_HOME", "TAMIS_MODELS", SECRET, ADDRESS}
"""Variables that Tamis reads."""


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Containerfile with their arguments, lines joined, comments left out."""
    lines = [line for line in (DEPLOY / "Containerfile").read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def check_command(words: list[str]) -> None:
    """Parse the words after ``tamis`` as the command line does, without running the command."""
    known = commands(app)
    name = next(name for name in sorted(known, key=len, reverse=True) if words[: len(name.split())] == name.split())
    with known[name].make_context(name, words[len(name.split()) :]):
        pass


def test_the_image_copies_files_that_exist_and_all_that_the_package_needs() -> None:
    copied = {source for name, rest in instructions() if name == "COPY" for source in shlex.split(rest)[:-1]}
    assert not [source for source in copied if not (ROOT / source).exists()]
    needed = {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "app", "analytics", "data"}
    assert needed <= copied
    one_folder_each = [shlex.split(rest) for name, rest in instructions() if name == "COPY"]
    for *sources, target in one_folder_each:
        # Several folders copied at once would be poured into one.
        assert len(sources) == 1 or not any((ROOT / source).is_dir() for source in sources), (sources, target)


def test_the_image_runs_commands_and_a_python_that_the_project_has() -> None:
    named = dict(instructions())
    version = tuple(map(int, re.findall(r"python:(\d+)\.(\d+)", named["FROM"])[0]))
    assert version >= tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
    assert json.loads(named["ENTRYPOINT"]) == ["tamis"] and "tamis" in PROJECT["scripts"]
    check_command(json.loads(named["CMD"]))
    runs = " ".join(rest for name, rest in instructions() if name == "RUN")
    for module in re.findall(r"python -m (tamis[\w.]+)", runs):
        assert (ROOT / f"{module.removeprefix('tamis.').replace('.', '/')}.py").is_file(), module
    extras = set(",".join(re.findall(r"/build\[([\w,]+)\]", runs)).split(","))
    assert "postgres" in extras and extras <= set(PROJECT["optional-dependencies"])
    assert HEALTH in named["HEALTHCHECK"] and named["EXPOSE"] == "8501"
    assert {part.split("=")[0] for part in shlex.split(named["ENV"])} <= OWN
    assert named["USER"] == "tamis"


def test_the_services_name_files_commands_and_variables_that_exist() -> None:
    services = COMPOSE["services"]
    build = services["dashboard"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT and (context / build["dockerfile"]).is_file()
    check_command([re.sub(r"\$\{\w+:\?.*?\}", "tamis.example.org", word) for word in services["dashboard"]["command"]])
    assert set(services["dashboard"]["environment"]) <= OWN
    made_by_people = {"people.caddy"}
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:\?.*?\}", "/srv/corpora", volume).split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).is_file() or source.removeprefix("./") in made_by_people, source
            elif not source.startswith("/"):
                assert source in COMPOSE["volumes"], source
        assert set(service.get("depends_on", ())) <= set(services)
        assert "build" in service or re.search(r":\d", service["image"]), "an image without a version"
    # Only the proxy can be reached from outside.
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]


def test_every_variable_of_the_services_is_in_the_example_and_the_other_way_round() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text("utf-8")))
    lines = (DEPLOY / "example.env").read_text("utf-8").splitlines()
    given = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    assert asked == given
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {"/deploy/.env", "/deploy/people.caddy"} <= set(ignored)


def test_the_proxy_sends_the_headers_that_the_gate_asks_for() -> None:
    lines = (DEPLOY / "Caddyfile").read_text("utf-8")
    sent = {name.lower() for name in re.findall(r"header_up ([\w-]+) ", lines)}
    assert sent == {USER_HEADER.lower(), SECRET_HEADER}
    [address] = re.findall(r"reverse_proxy (\w+):8501", lines)
    assert address in COMPOSE["services"]


def test_the_reviews_of_the_services_are_in_the_database_beside_them() -> None:
    services = COMPOSE["services"]
    address = services["dashboard"]["environment"][ADDRESS]
    found = re.fullmatch(r"postgresql\+psycopg://(\w+):\$\{POSTGRES_PASSWORD:.*?\}@(\w+)/(\w+)", address)
    assert found is not None
    user, host, name = found.groups()
    assert host in services and services["dashboard"]["depends_on"][host]["condition"] == "service_healthy"
    made = services[host]["environment"]
    assert (made["POSTGRES_USER"], made["POSTGRES_DB"]) == (user, name)


def unit() -> dict[str, str]:
    lines = (DEPLOY / "tamis.service").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_service_runs_a_command_that_the_gate_lets_start() -> None:
    program, *words = shlex.split(unit()["ExecStart"])
    assert Path(program).name == "tamis"
    check_command(words)
    options = dict(zip(words[1::2], words[2::2], strict=True))
    gate = Gate.of(options["--login"], sites=[options["--site"]], environment={SECRET: "s" * 32})
    gate.require(options["--host"])
    assert unit()["Environment"].split("=")[0] in OWN


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "tamis.service").read_text("utf-8")
    # The program is installed when the service is set up.
    here = text.replace("/opt/tamis/bin/tamis", sys.executable)
    (tmp_path / "tamis.service").write_text(here, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "tamis.service")], capture_output=True, text=True
    )
    own = [line for line in done.stderr.splitlines() if "tamis.service" in line]
    assert done.returncode == 0 and not own, done.stderr


def test_the_page_names_every_file_and_its_commands_are_those_of_tamis() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    for path in DEPLOY.iterdir():
        if path.name not in {".env", "people.caddy"}:
            assert f"deploy/{path.name}" in page or path.name == "Caddyfile", path.name
    assert "Caddy" in page
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    found = [shlex.split(part, comments=True) for part in re.findall(r"(?<= )tamis ([^\n#]+)", blocks)]
    assert len(found) >= 2
    for words in found:
        check_command(words)
    assert f"tamis-{PROJECT['version']}-py3-none-any.whl" in page
