"""The signals of the fused pass, in the order in which the kernels return their columns."""

from __future__ import annotations

from tamis.analytics.signal import SIGNALS, Dtype, Signal

GOPHER = "Rae et al. 2021, arXiv 2112.11446, appendix A1; as datatrove 0.10 computes it"
FINEWEB = "Penedo et al. 2024, arXiv 2406.17557; as datatrove 0.10 computes it"
CHARACTER = "Unicode character properties as Python's str methods give them"
NO_WORDS = "NULL for a document without words"


def _character(
    name: str, title: str, help_: str, unit: str = "share", *, dtype: Dtype = "float32", high: float | None = 1.0
) -> Signal:
    return Signal(
        name=name,
        title=title,
        help=help_,
        unit=unit,
        convention="code points",
        source=CHARACTER,
        dtype=dtype,
        high=high,
        group="Characters",
    )


def _count(name: str, title: str, help_: str, unit: str = "characters") -> Signal:
    return _character(name, title, help_, unit, dtype="int32", high=None)


CHARACTERS = SIGNALS.register(
    _count("n_chars", "Characters", "Length of the text in code points."),
    _character("alpha_share", "Letters", "Letters per character; NULL for an empty document."),
    _character("digit_share", "Digits", "Digits per character; NULL for an empty document."),
    _character("upper_share", "Upper case", "Upper-case letters per cased letter; NULL without cased letters."),
    _character("space_share", "White space", "White space per character; NULL for an empty document."),
    _character(
        "non_alnum_share",
        "Other characters",
        "Characters that are neither letter, digit nor white space, per character; NULL for an empty document.",
    ),
    _character(
        "mark_share", "Punctuation and symbols", "Punctuation and symbols per character; NULL for an empty document."
    ),
    _character("non_ascii_share", "Outside ASCII", "Characters outside ASCII; NULL for an empty document."),
    _character(
        "unspaced_share",
        "Scripts without spaces",
        "Letters of scripts written without spaces (Han, Kana, Thai, Lao, Khmer, Myanmar, Tibetan ...) per letter;"
        " signals that count words do not apply above 0.2. NULL without letters.",
    ),
    _count("control_chars", "Control characters", "Control characters other than tab, line feed, carriage return."),
    _count("replacement_chars", "Replacement characters", "Occurrences of U+FFFD, left by text that did not decode."),
    _count("pictographs", "Pictographs", "Emoji, dingbats and other pictographic symbols."),
)


def _gopher(
    name: str,
    title: str,
    help_: str,
    unit: str = "share",
    *,
    dtype: Dtype = "float32",
    high: float | None = 1.0,
    convention: str = "unicode words",
    source: str = GOPHER,
    group: str = "Words",
) -> Signal:
    return Signal(
        name=name,
        title=title,
        help=help_,
        unit=unit,
        convention=convention,
        source=source,
        dtype=dtype,
        high=high,
        group=group,
    )


WORDS = SIGNALS.register(
    _gopher("n_words", "Words", "Words that are not only symbols.", "words", dtype="int32", high=None),
    _gopher("n_word_tokens", "Words and marks", "Words and punctuation marks.", "words", dtype="int32", high=None),
    _gopher(
        "mean_word_length",
        "Mean word length",
        f"Mean length of words that are not only symbols; {NO_WORDS}.",
        "characters",
        high=None,
    ),
    _gopher("hash_word_ratio", "Hash signs", f"Number signs (#) per word or mark; {NO_WORDS}.", "ratio", high=None),
    _gopher("ellipsis_word_ratio", "Ellipses", f"... and … per word or mark; {NO_WORDS}.", "ratio", high=None),
    _gopher("alpha_word_share", "Words with letters", f"Words and marks with at least one letter; {NO_WORDS}."),
    _gopher(
        "stop_words",
        "Stop words",
        "How many of the words the, be, to, of, and, that, have, with occur, in lower case.",
        "words",
        dtype="int32",
        high=8.0,
    ),
    _gopher(
        "longest_word", "Longest word", "Length of the longest word or mark.", "characters", dtype="int32", high=None
    ),
)


def _line(
    name: str,
    title: str,
    help_: str,
    unit: str = "share",
    *,
    dtype: Dtype = "float32",
    high: float | None = 1.0,
    source: str = GOPHER,
    convention: str = "splitlines",
) -> Signal:
    return Signal(
        name=name,
        title=title,
        help=help_,
        unit=unit,
        convention=convention,
        source=source,
        dtype=dtype,
        high=high,
        group="Lines",
    )


GOPHER_LINES = SIGNALS.register(
    _line("n_lines", "Lines", "Number of lines.", "lines", dtype="int32", high=None),
    _line("bullet_line_share", "Bullet lines", "Lines that begin with • or -; NULL for an empty document."),
    _line("ellipsis_line_share", "Ellipsis lines", "Lines that end in ... or …; NULL for an empty document."),
)

_NONBLANK = "line feeds, blank lines left out"

FINEWEB_LINES = SIGNALS.register(
    _line(
        "n_filled_lines",
        "Lines with text",
        "Number of lines that are not blank.",
        "lines",
        dtype="int32",
        high=None,
        source=FINEWEB,
        convention=_NONBLANK,
    ),
    _line(
        "terminal_line_share",
        "Closed lines",
        "Lines that end in one of 159 terminal punctuation marks, quotes not among them; NULL without such lines.",
        source=FINEWEB,
        convention=_NONBLANK,
    ),
    _line(
        "short_line_share",
        "Short lines",
        "Lines of at most 30 characters; NULL without such lines.",
        source=FINEWEB,
        convention=_NONBLANK,
    ),
    _line(
        "repeated_line_char_share",
        "Repeated lines",
        "Characters in lines that repeat an earlier one, per character that is not a line feed; NULL without lines.",
        source=FINEWEB,
        convention=_NONBLANK,
    ),
)

LIST_RATIO = SIGNALS.register(
    _gopher(
        "newline_word_ratio",
        "Line feeds per word",
        f"Line feeds per word or mark; {NO_WORDS}.",
        "ratio",
        high=None,
        source=FINEWEB,
        group="Lines",
    ),
)


def _repetition(name: str, title: str, help_: str, convention: str) -> Signal:
    return Signal(
        name=name,
        title=title,
        help=help_,
        unit="share",
        convention=convention,
        source=GOPHER.replace("appendix", "table"),
        high=None if name.startswith("top") else 1.0,
        group="Repetition",
    )


LINE_REPETITION = SIGNALS.register(
    _repetition(
        "duplicate_paragraph_share",
        "Duplicate paragraphs",
        "Paragraphs that repeat an earlier one; NULL for an empty document.",
        "two or more line feeds",
    ),
    _repetition(
        "duplicate_paragraph_char_share",
        "Characters in duplicate paragraphs",
        "Characters in paragraphs that repeat an earlier one, per character; NULL for an empty document.",
        "two or more line feeds",
    ),
    _repetition(
        "duplicate_line_share",
        "Duplicate lines",
        "Lines that repeat an earlier one; NULL for an empty document.",
        "one or more line feeds",
    ),
    _repetition(
        "duplicate_line_char_share",
        "Characters in duplicate lines",
        "Characters in lines that repeat an earlier one, per character; NULL for an empty document.",
        "one or more line feeds",
    ),
)

WORD_REPETITION = SIGNALS.register(
    *(
        _repetition(
            f"top_{n}gram_share",
            f"Most frequent {n} words",
            f"Characters of the most frequent {n} words in a row, times its count, per character;"
            f" NULL with fewer than {n} words.",
            "unicode words",
        )
        for n in (2, 3, 4)
    ),
    *(
        _repetition(
            f"duplicate_{n}gram_share",
            f"Duplicate {n} words",
            f"Characters in {n} words in a row that occurred before, per character; NULL for an empty document.",
            "unicode words",
        )
        for n in range(5, 11)
    ),
)
