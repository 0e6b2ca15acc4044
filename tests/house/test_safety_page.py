"""The page on safety names a test for every threat, and every test it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    line for line in (ROOT / "docs" / "safety.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| threat", "|---"))
]  # fmt: skip


def test_every_threat_names_tests_that_exist() -> None:
    assert len(ROWS) >= 15
    for row in ROWS:
        named = re.findall(r"`(test_\w+)\.(test_\w+)`", row)
        assert named, row
        for file, test in named:
            [path] = (ROOT / "tests").rglob(f"{file}.py")
            source = path.read_text("utf-8")
            assert re.search(rf"^def {test}\(", source, flags=re.MULTILINE), f"{file}.{test}"
