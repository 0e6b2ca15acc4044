"""The folder of compiled kernels: one for each state of the sources that are compiled into them.

Numba caches machine code by the state of the one file that holds the function. It does not notice changes of kernels
and constants in other files, which are compiled in as well, and would run old machine code. So the name of the cache
folder is a digest of all those files and of the libraries that compile them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

PREFIX = "kernels-"
KEPT = 8
"""Number of folders that stay when a new one is made; older ones are removed after a day without use."""
_DAY = 86_400.0
_COMPILERS = ("numba", "llvmlite", "numpy")
_COMPILED = re.compile(rb"^(?:from|import) numba\b|^# Kernels compile these values in\b", re.MULTILINE)


def compiled_sources(root: Path) -> dict[str, bytes]:
    """Return name and content of each Python file below a folder that holds kernels or values compiled into them."""
    files = ((path.relative_to(root).as_posix(), path.read_bytes()) for path in root.rglob("*.py"))
    return {name: content for name, content in sorted(files) if _COMPILED.search(content)}


def sources_digest(root: Path, *, compilers: Iterable[str]) -> str:
    """Return 16 hexadecimal digits of a digest of the compiled sources below a folder and of the compilers."""
    digest = hashlib.sha256()
    parts = [*(part.encode() for part in compilers)]
    parts += [part for name, content in compiled_sources(root).items() for part in (name.encode(), content)]
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]


def use_kernel_cache(root: Path) -> Path:
    """Make numba keep the machine code of the kernels below a folder by their digest, here and in child processes.

    The folder is below ``NUMBA_CACHE_DIR`` if set, else below the user's cache folder. If neither is writable, it is a
    temporary folder of this process: otherwise numba would keep code beside the sources, where it does not notice
    changes. Call this before the first kernel is decorated.
    """
    compilers = [sys.version, *(f"{name} {version(name)}" for name in _COMPILERS)]
    name = PREFIX + sources_digest(root, compilers=compilers)
    try:
        folder = _open(_base() / name)
    except (OSError, RuntimeError):  # Path.home() raises the latter
        folder = _open(Path(tempfile.mkdtemp(prefix="tamis-")) / name)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    numba = sys.modules.get("numba")
    if numba is not None:
        # Numba has already read the environment.
        numba.config.CACHE_DIR = str(folder)
    return folder


def prune(folder: Path) -> None:
    """Remove the sibling folders of a folder that are neither among the latest used nor used within a day of it.

    A process that still uses an old folder compiles again: numba accepts a missing folder.
    """
    others = [path for path in folder.parent.glob(f"{PREFIX}*") if path != folder]
    used = sorted(((_last_use(path), path) for path in others), reverse=True)
    for moment, path in used[KEPT - 1 :]:
        if moment < _last_use(folder) - _DAY:
            shutil.rmtree(path, ignore_errors=True)


def _base() -> Path:
    setting = os.environ.get("NUMBA_CACHE_DIR")
    if setting:
        # A parent process may have set it already: the folders must be siblings, not nested.
        path = Path(setting).absolute()
        return path.parent if path.name.startswith(PREFIX) else path
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tamis"
    caches = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return Path(caches or Path.home() / ".cache").absolute() / "tamis"


def _open(folder: Path) -> Path:
    is_new = not folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    # Numba silently uses another folder if it cannot write here.
    tempfile.TemporaryFile(dir=folder).close()
    if is_new:
        prune(folder)
    return folder


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # another process has removed it
        return 0.0
