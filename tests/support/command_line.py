"""The command line in this process: what ``dashboard.tamis`` does, without starting Python and compiling again."""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tamis.app.cli import main


def tamis(*arguments: str, home: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, with this workspace.

    Raises:
        subprocess.CalledProcessError: it ended with another code than 0, and ``check`` is set.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("TAMIS_HOME", str(home))
        patch.setattr("sys.argv", ["tamis", *arguments])
        try:
            main.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    done = subprocess.CompletedProcess(["tamis", *arguments], code, out.getvalue(), err.getvalue())
    if check:
        done.check_returncode()
    return done
