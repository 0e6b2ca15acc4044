"""Figures: each ``bench_NAME`` prints a Markdown table; ``python -m benchmarks.bench_NAME`` runs one.

They share corpora and helpers with the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(_TESTS / "support"), str(_TESTS / "steps")]
