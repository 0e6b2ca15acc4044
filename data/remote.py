"""Remote corpora: files at s3://, gs://, https:// or hf:// are copied once, then read like local ones.

Every byte of a corpus is hashed, so a copy avoids reading it twice over the network. A copy in the workspace is named
by the address and by the store's metadata of each file (size, entity tag, time); a changed file gets a new copy.
Credentials come from the environment or the store's own configuration, never from an address, so no recipe can contain
them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from tamis.data.errors import CorpusError, SettingError
from tamis.data.formats import SUFFIXES
from tamis.data.hashing import digest
from tamis.data.kinds import worth_copying
from tamis.data.names import inside
from tamis.data.parquet import sync, write_bytes
from tamis.data.progress import NullProgress, Progress

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "https": "aiohttp", "http": "aiohttp", "hf": "huggingface_hub"}
"""Scheme -> package that reads it."""

_TAGS = ("ETag", "etag", "LastModified", "last_modified", "Last-Modified", "updated", "md5Hash", "blob_id")
_MARKS = "*?["
_COMPLETE = ".complete.json"


def is_remote(path: str) -> bool:
    """Say whether a path is an address."""
    return "://" in path


def check_address(url: str) -> str:
    """Return the scheme of an address.

    Raises:
        SettingError: an unknown scheme, or an address that carries credentials.
    """
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname or ''}/…"
    if parts.scheme not in SCHEMES:
        raise SettingError("Addresses of this kind cannot be read", value=shown, allowed=SCHEMES)
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise SettingError(
            "An address must not carry credentials, a query or a fragment",
            value=shown,
            fix="give credentials by the environment, for example AWS_ACCESS_KEY_ID, or a profile of the store",
        )
    if find_spec(SCHEMES[parts.scheme]) is None:
        raise SettingError(
            "Reading this address needs a package", value=SCHEMES[parts.scheme], fix="pip install 'tamis[remote]'"
        )
    return parts.scheme


def fetch(url: str, root: Path, *, progress: Progress | None = None) -> Path:
    """Return a local copy of a remote file, folder or glob, made on the first call and after every change.

    Args:
        url: the address.
        root: the workspace; copies are kept under ``remote``.
        progress: advanced by bytes; may cancel between files, complete files stay.

    Raises:
        SettingError: as ``check_address``.
        CorpusError: the address has no files, access is refused, or the disk is full.
    """
    check_address(url)
    watch = progress or NullProgress()
    # Late: fsspec.
    import fsspec

    try:
        store, start = fsspec.url_to_fs(url)
        # A cached listing may be out of date.
        store.invalidate_cache()
        files = _files(store, start)
        listed = [(_name(path, start), store.info(path)) for path in files]
    except _errors() as error:
        raise _unreachable(url, error) from None
    if not listed:
        raise CorpusError("There is nothing to read at this address", value=url, allowed=SUFFIXES)
    stamp = [[name, int(info.get("size") or 0), [str(info.get(tag, "")) for tag in _TAGS]] for name, info in listed]
    folder = root / "remote" / digest([url, stamp])[:24] / _plain(start)
    single = folder / listed[0][0] if len(listed) == 1 and files[0] == start else folder
    if (folder / _COMPLETE).is_file():
        return single
    watch.step("copying remote files", sum(int(info.get("size") or 0) for _, info in listed), "bytes")
    for (name, info), path in zip(listed, files, strict=True):
        watch.check()
        _copy(store, path, _place(folder, name), int(info.get("size") or 0), url)
        watch.advance(int(info.get("size") or 0))
    write_bytes(folder / _COMPLETE, json.dumps({"url": url, "files": stamp}).encode())
    return single


def _plain(start: str) -> str:
    """Return a name for the folder of the copies: the last part of the address without special characters."""
    last = [part for part in start.split("/") if part and not any(mark in part for mark in _MARKS)][-1:]
    return re.sub(r"[^0-9A-Za-z._-]+", "-", "".join(last)).strip(".-")[:60] or "files"


def _files(store: Any, start: str) -> list[str]:
    if any(mark in start for mark in _MARKS):
        return _readable(store.glob(start), folder=False)
    if store.isfile(start):
        return [start]
    return _readable(store.find(start), folder=True)


def _readable(paths: Iterable[str], *, folder: bool) -> list[str]:
    """Return the files that are read, sorted."""
    shown = [path for path in paths if not any(part.startswith((".", "_")) for part in path.split("/"))]
    return sorted(map(str, worth_copying([PurePosixPath(path) for path in shown], folder=folder)))


def _name(path: str, start: str) -> str:
    """Return the name of a file below the requested folder, glob or file."""
    fixed = start
    for mark in _MARKS:
        fixed = fixed.split(mark, 1)[0]
    base = fixed if path.startswith(fixed.rstrip("/") + "/") and fixed == start else fixed.rpartition("/")[0]
    return path[len(base.rstrip("/")) :].lstrip("/") if path.startswith(base) else path.rpartition("/")[2]


def _place(folder: Path, name: str) -> Path:
    """Return the local path of a file; unsafe parts of its name are replaced."""
    for part in name.split("/"):
        spelt = re.sub(r"[^A-Za-z0-9._-]", "-", part)[-80:]
        safe = part == spelt and part[:1].isalnum()
        folder = inside(folder, part if safe else f"{digest(part)[:8]}-{spelt}", what="Remote file")
    return folder


def _copy(store: Any, path: str, target: Path, size: int, url: str) -> None:
    """Copy one file under a temporary name and rename it when it is complete."""
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with store.open(path, "rb") as source, draft.open("wb") as sink:
            shutil.copyfileobj(source, sink, 4 << 20)
        if size and draft.stat().st_size != size:
            raise CorpusError("A remote file was not read whole", value=target.name, fix="try again")
        sync(draft)
        draft.replace(target)
    except _errors() as error:
        raise _unreachable(url, error) from None
    finally:
        draft.unlink(missing_ok=True)


def _errors() -> tuple[type[BaseException], ...]:
    """Return the exceptions that stores raise for missing files and refused access."""
    found: list[type[BaseException]] = [OSError, ValueError]
    if find_spec("botocore") is not None:
        # Late: botocore, which is optional.
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        found += [BotoCoreError, ClientError]
    if find_spec("aiohttp") is not None:
        # Late: aiohttp, which is optional.
        from aiohttp import ClientError as HttpError

        found.append(HttpError)
    return tuple(found)


def _unreachable(url: str, error: BaseException) -> CorpusError:
    kind = type(error).__name__
    said = {"FileNotFoundError": "the file does not exist", "PermissionError": "access is refused"}.get(kind, kind)
    return CorpusError(f"This address cannot be read: {said}", value=url, fix="check the address and the credentials")
