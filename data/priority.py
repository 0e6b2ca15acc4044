"""How a background job leaves the processors to the pages that people look at meanwhile."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

YIELDS = "TAMIS_JOB_YIELDS"
"""Environment variable of a job: anything but an empty text makes it yield."""

NICE = 10
"""Of 0 to 19: beside a page that computes, a process of this priority gets about a tenth of a processor."""


def yield_processors() -> None:
    """Lower the priority of this process and of those that it starts; where the system does not allow it, do nothing.

    Linux may weigh whole sessions against each other (autogroups), and then a process' own priority counts only among
    those of its session. A job has a session of its own, so its session is lowered as well.
    """
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(NICE)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE), "ascii")
