"""Quality filters of other tools, run by a Python that has them: ``peers_signals.py TOOL texts.parquet``.

Prints one line of JSON: CPU seconds for all texts after a warm-up, and what was run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import pyarrow.parquet as pq

WARM_UP = 50


def datatrove(texts: list[str]) -> tuple[Callable[[list[str]], None], str]:
    """Run the four filters with their default words (spaCy) on every text."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )

    filters = [GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(), FineWebQualityFilter()]

    def run(chosen: list[str]) -> None:
        for text in chosen:
            for step in filters:
                step.filter(Document(text=text, id=""))

    return run, "4 filters: Gopher quality and repetition, C4, FineWeb"


def data_juicer(texts: list[str]) -> tuple[Callable[[list[str]], None], str]:
    """Run eight filters that need no download, in batches of 1000."""
    from data_juicer.ops.filter.alphanumeric_filter import AlphanumericFilter
    from data_juicer.ops.filter.average_line_length_filter import AverageLineLengthFilter
    from data_juicer.ops.filter.character_repetition_filter import CharacterRepetitionFilter
    from data_juicer.ops.filter.maximum_line_length_filter import MaximumLineLengthFilter
    from data_juicer.ops.filter.special_characters_filter import SpecialCharactersFilter
    from data_juicer.ops.filter.text_length_filter import TextLengthFilter
    from data_juicer.ops.filter.word_repetition_filter import WordRepetitionFilter
    from data_juicer.ops.filter.words_num_filter import WordsNumFilter
    from data_juicer.utils.constant import Fields

    kinds = (
        AlphanumericFilter, AverageLineLengthFilter, CharacterRepetitionFilter, MaximumLineLengthFilter,
        SpecialCharactersFilter, TextLengthFilter, WordRepetitionFilter, WordsNumFilter,
    )  # fmt: skip
    steps = [kind() for kind in kinds]

    def run(chosen: list[str]) -> None:
        for first in range(0, len(chosen), 1000):
            batch = chosen[first : first + 1000]
            samples = {"text": batch, Fields.stats: [{} for _ in batch]}
            for step in steps:
                list(step.process_batched(step.compute_stats_batched(samples)))

    return run, "8 text filters"


def main(tool: str, path: str) -> int:
    """Time one tool."""
    texts = pq.read_table(path).column("text").to_pylist()
    run, what = {"datatrove": datatrove, "data-juicer": data_juicer}[tool](texts)
    run(texts[:WARM_UP])
    started = time.process_time()
    run(texts)
    print(json.dumps({"seconds": time.process_time() - started, "what": what}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2]))
