"""Functions of texts that hold the interpreter lock, run in separate processes that exchange Arrow data.

Some libraries use one processor for any number of threads. A worker is this module run as a program: it reads a
stream of texts from its standard input, writes the columns to its standard output, and ends when its input does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import import_module
from io import BufferedReader
from itertools import chain, islice
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Self, cast

import pyarrow as pa

LEAST_BYTES = 64 << 20
"""Below this size the text is done before a worker has started."""

_ALONE = {"TOKENIZERS_PARALLELISM": "false", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TEXTS = pa.schema([("text", pa.large_string())])


@dataclass(frozen=True)
class TextFunction:
    """A function of this package from texts to columns, by name, so that another process can call it.

    Attributes:
        module: name below ``tamis.analytics``.
        name: of the function; it takes a large_string array (n,) and returns a table of n rows.
        arguments: its further arguments.
    """

    module: str
    name: str
    arguments: tuple[str, ...] = ()

    def __call__(self, texts: pa.Array) -> pa.Table:
        """Call the function in this process."""
        function = getattr(import_module(f"tamis.analytics.{self.module}"), self.name)
        return cast(pa.Table, function(texts, *self.arguments))


def processes_for(texts_bytes: int) -> int:
    """Return the number of workers for so many bytes: one per processor, 1 if more do not pay."""
    return 1 if texts_bytes < LEAST_BYTES else os.cpu_count() or 1


class Worker:
    """One worker process; it handles one request at a time."""

    def __init__(self, function: TextFunction) -> None:
        self._function = function
        asked = json.dumps([function.module, function.name, *function.arguments])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tamis.analytics.steps.text_processes", asked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ALONE,
        )

    def __call__(self, texts: pa.Array) -> pa.Table:
        """Return the columns of some texts; if the worker has died, this process makes them or raises the error."""
        if self._process.returncode is None:
            try:
                _write(cast(IO[bytes], self._process.stdin), pa.table([texts.cast(pa.large_string())], schema=_TEXTS))
                return pa.ipc.open_stream(self._process.stdout).read_all()
            except (OSError, pa.ArrowInvalid):
                self.close()
        return self._function(texts)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                cast(IO[bytes], stream).close()


class TextWorkers:
    """Workers for one function at a time; started on first use, ended with the block.

    Args:
        count: number of processes; with 1 all work happens in this process.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._free: dict[TextFunction, SimpleQueue[Worker]] = {}
        self._open = ExitStack()

    def map(self, function: TextFunction, batches: Iterable[pa.Array]) -> Iterator[pa.Table]:
        """Yield the columns of every batch, in order.

        A single batch is done in this process, however large: workers cannot share it.
        """
        rest = iter(batches)
        first = list(islice(rest, 2))
        if self._count == 1 or len(first) < 2:
            yield from map(function, chain(first, rest))
            return
        free = self._free.get(function) or self._started(function)

        def ask(texts: pa.Array) -> pa.Table:
            worker = free.get()
            try:
                return worker(texts)
            finally:
                free.put(worker)

        with ThreadPoolExecutor(self._count) as pool:
            yield from pool.map(ask, chain(first, rest))

    def _started(self, function: TextFunction) -> SimpleQueue[Worker]:
        free: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(self._count):
            worker = Worker(function)
            self._open.callback(worker.close)
            free.put(worker)
        self._free[function] = free
        return free

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


def _write(stream: IO[bytes], table: pa.Table) -> None:
    with pa.ipc.new_stream(stream, table.schema) as out:
        out.write_table(table)
    stream.flush()


def main(asked: str) -> None:
    """Answer requests until the input ends."""
    module, name, *arguments = json.loads(asked)
    function = TextFunction(module, name, tuple(arguments))
    questions, answers = cast(BufferedReader, sys.stdin.buffer), sys.stdout.buffer
    sys.stdout = sys.stderr
    while questions.peek(1):
        texts = pa.ipc.open_stream(questions).read_all().column("text")
        _write(answers, function(pa.chunked_array(texts.chunks, pa.large_string()).combine_chunks()))


if __name__ == "__main__":
    main(sys.argv[1])
