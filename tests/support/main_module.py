"""The module ``__main__``, which a page that runs in this process replaces by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keep_main() -> Iterator[None]:
    """Put ``__main__`` back when the block ends: processes that are spawned later import the file it names."""
    main = sys.modules["__main__"]
    try:
        yield
    finally:
        sys.modules["__main__"] = main
