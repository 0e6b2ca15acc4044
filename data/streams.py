"""Byte streams of text files, opened at an offset; compressed ones continue where the last reader stopped."""

from __future__ import annotations

import atexit
import contextlib
import io
import lzma
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tamis.data.errors import CorpusError
from tamis.data.formats import open_stream

_SKIP = 1 << 20
_PARKED_MAX = 8
FileKey = tuple[str, int, int, int]


class ForwardStream:
    """Decompressed bytes, read forwards, with the current position.

    Args:
        inner: positioned at ``position``.
        position: offset of the next byte.
        jumps: whether ``inner`` can skip bytes without reading them.
    """

    def __init__(self, inner: BinaryIO, position: int, *, jumps: bool = False) -> None:
        self.inner, self.position, self._jumps = inner, position, jumps

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end."""
        data = self.inner.read(size)
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        """Pass over the next ``size`` bytes; raises ``EOFError`` if a compressed file has fewer."""
        if self._jumps:
            self.inner.seek(size, io.SEEK_CUR)
            self.position += size
            return
        end = self.position + size
        while self.position < end:
            if not self.read(min(_SKIP, end - self.position)):
                raise EOFError("it is shorter than when it was opened")

    def __iter__(self) -> Iterator[bytes]:
        """Yield lines; the position is not updated, so the stream cannot be read afterwards."""
        self.position = -1
        return iter(self.inner)


class Parking:
    """Open compressed streams and their positions.

    A compressed file can only be read forwards. Readers that take consecutive shards would decompress it again from
    the beginning for each of them; with a parked stream the next shard continues where the one before it ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parked: list[tuple[FileKey, ForwardStream]] = []

    def take(self, key: FileKey, offset: int) -> ForwardStream | None:
        """Return the nearest parked stream at or before ``offset``."""
        with self._lock:
            fitting = [item for item in self._parked if item[0] == key and item[1].position <= offset]
            if not fitting:
                return None
            best = max(fitting, key=lambda item: item[1].position)
            self._parked.remove(best)
            return best[1]

    def leave(self, key: FileKey, stream: ForwardStream) -> None:
        """Park a stream; close the oldest one if there are too many."""
        with self._lock:
            self._parked.append((key, stream))
            oldest = self._parked.pop(0) if len(self._parked) > _PARKED_MAX else None
        if oldest is not None:
            oldest[1].inner.close()

    def clear(self) -> None:
        """Close every parked stream."""
        with self._lock:
            parked, self._parked = self._parked, []
        for _, stream in parked:
            stream.inner.close()


PARKING = Parking()
atexit.register(PARKING.clear)


@contextlib.contextmanager
def open_at(path: Path, compression: str, offset: int) -> Iterator[ForwardStream]:
    """Open the decompressed bytes of a file at ``offset``; every read error names the file.

    Raises:
        CorpusError: the file cannot be read, is damaged or truncated.
    """
    try:
        if not compression:
            with path.open("rb") as plain:
                plain.seek(offset)
                yield ForwardStream(plain, offset, jumps=True)
            return
        stat = path.stat()
        key = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
        stream = PARKING.take(key, offset) or ForwardStream(open_stream(path, compression), 0)
        reusable = False
        try:
            stream.skip(offset - stream.position)
            yield stream
            reusable = stream.position >= 0
        finally:
            if reusable:
                PARKING.leave(key, stream)
            else:
                stream.inner.close()
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise CorpusError(f"{path.name} cannot be read: {error or type(error).__name__}") from error
