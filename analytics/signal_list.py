"""The signals of characters, words, lines and repetition, in the order in which the kernels return their columns."""

from __future__ import annotations

from dataclasses import replace

from tamis.analytics.repetition import DUPLICATE, TOP
from tamis.analytics.signal_table import signal_table

GOPHER = "Rae et al. 2021, arXiv 2112.11446, appendix A1; as datatrove 0.10 computes it"
FINEWEB = "Penedo et al. 2024, arXiv 2406.17557; as datatrove 0.10 computes it"
C4 = "Raffel et al. 2020, arXiv 1910.10683; as datatrove 0.10 computes it"
WORDS = "words"

CHARACTERS = signal_table(
    """
    n_chars | count characters | Characters | Length of the text in code points.
    alpha_share | share | Letters | Letters per character; NULL for an empty document.
    digit_share | share | Digits | Digits per character; NULL for an empty document.
    upper_share | share | Upper case | Upper-case letters per cased letter; NULL without cased letters.
    space_share | share | White space | White space per character; NULL for an empty document.
    non_alnum_share | share | Other characters | Neither letter, digit nor white space; NULL for an empty document.
    mark_share | share | Punctuation and symbols | Punctuation and symbols; NULL for an empty document.
    non_ascii_share | share | Outside ASCII | Characters outside ASCII; NULL for an empty document.
    unspaced_share | share | Scripts without spaces | Letters of scripts written without spaces (Han, Kana, Thai, Lao, Khmer, Myanmar, Tibetan) per letter; above 0.2, counting words does not apply. NULL without letters.
    control_chars | count characters | Control characters | Control characters other than tab, line feed and carriage return.
    replacement_chars | count characters | Replacement characters | Occurrences of U+FFFD, left by text that did not decode.
    pictographs | count characters | Pictographs | Emoji, dingbats and other pictographic symbols.
    """,  # noqa: E501
    group="Characters",
    convention="code points",
    source="Unicode properties as Python's str methods give them",
)

QUALITY = signal_table(
    """
    n_words | count words | Words | Words that are not only symbols.
    n_word_tokens | count words | Words and marks | Words and punctuation marks.
    mean_word_length | mean characters | Mean word length | Mean length of words that are not only symbols; NULL without words.
    hash_word_ratio | ratio | Hash signs | Number signs (#) per word or mark; NULL without words.
    ellipsis_word_ratio | ratio | Ellipses | ... and … per word or mark; NULL without words.
    alpha_word_share | share | Words with letters | Words and marks with at least one letter; NULL without words.
    stop_words | count words | Stop words | How many of the words the, be, to, of, and, that, have, with occur, in lower case.
    longest_word | count characters | Longest word | Length of the longest word or mark.
    """,  # noqa: E501
    group="Words",
    convention=WORDS,
    source=GOPHER,
)

GOPHER_LINES = signal_table(
    """
    n_lines | count lines | Lines | Number of lines.
    bullet_line_share | share | Bullet lines | Lines that begin with • or -; NULL for an empty document.
    ellipsis_line_share | share | Ellipsis lines | Lines that end in ... or …; NULL for an empty document.
    """,
    group="Lines",
    convention="splitlines",
    source=GOPHER,
)

FINEWEB_LINES = signal_table(
    """
    n_filled_lines | count lines | Lines with text | Number of lines that are not blank.
    terminal_line_share | share | Closed lines | Lines that end in one of 159 terminal punctuation marks, quotes not among them; NULL without lines.
    short_line_share | share | Short lines | Lines of at most 30 characters; NULL without lines.
    repeated_line_char_share | share | Repeated lines | Characters in lines that repeat an earlier one, per character that is not a line feed; NULL without lines.
    """,  # noqa: E501
    group="Lines",
    convention="line feeds, blank lines left out",
    source=FINEWEB,
)

LIST_RATIO = signal_table(
    "newline_word_ratio | ratio | Line feeds per word | Line feeds per word or mark; NULL without words.",
    group="Lines",
    convention=WORDS,
    source=FINEWEB,
)

LINE_REPETITION = signal_table(
    """
    duplicate_paragraph_share | share | Duplicate paragraphs | Paragraphs (two or more line feeds) that repeat an earlier one; NULL for an empty document.
    duplicate_paragraph_char_share | share | Characters in duplicate paragraphs | Characters in paragraphs that repeat an earlier one; NULL for an empty document.
    duplicate_line_share | share | Duplicate lines | Lines (one or more line feeds) that repeat an earlier one; NULL for an empty document.
    duplicate_line_char_share | share | Characters in duplicate lines | Characters in lines that repeat an earlier one; NULL for an empty document.
    """,  # noqa: E501
    group="Repetition",
    convention="runs of line feeds",
    source=GOPHER.replace("appendix", "table"),
)

_TOP = (
    "Characters of the most frequent {n} words in a row times its count, per character; NULL with fewer than {n} words."
)
_REPEATED = "Characters in {n} words in a row that occurred before, per character; NULL for an empty document."

WORD_REPETITION = signal_table(
    "\n".join(
        [f"top_{n}gram_share | ratio | Most frequent {n} words | {_TOP.format(n=n)}" for n in TOP]
        + [f"duplicate_{n}gram_share | share | Duplicate {n} words | {_REPEATED.format(n=n)}" for n in DUPLICATE]
    ),
    group="Repetition",
    convention=WORDS,
    source=GOPHER.replace("appendix", "table"),
)

_VARIANTS = {
    "c4": ("C4", "lines of 3 words or more that end in . ? ! \" or '"),
    "c4_any_end": ("C4 without terminal marks", "lines of 3 words or more, whatever they end in, as FineWeb uses C4"),
    "c4_tfds": (
        "C4, 5 words per line",
        "lines of 5 words or more that end in . ? ! \" or ', as in TensorFlow Datasets",
    ),
}

_ENDS = "{name}_{what} | flag | {title}: {phrase} | Of {rule}: 1 when the first that ends the document says {phrase}."
_KEPT = "{name}_line_share | share | {title}: lines kept | Of all lines: {rule}; NULL for an empty document."
_SENTENCES = "{name}_sentences | count sentences | {title}: sentences | Sentences in {rule}."

C4_LINES = signal_table(
    "\n".join(
        line.format(name=name, title=title, rule=rule, what=what, phrase=phrase)
        for name, (title, rule) in _VARIANTS.items()
        for line, what, phrase in (
            (_ENDS, "lorem_ipsum", "lorem ipsum"),
            (_ENDS, "curly_bracket", "{"),
            (_KEPT, "", ""),
        )
    ),
    group="C4",
    convention="splitlines, citations cut out",
    source=C4,
)

C4_SENTENCES = signal_table(
    "\n".join(_SENTENCES.format(name=name, title=title, rule=rule) for name, (title, rule) in _VARIANTS.items()),
    group="C4",
    convention=WORDS,
    source=C4,
)

_LEFT = "; of the text that C4 without terminal marks leaves"

AFTER_C4 = tuple(
    replace(
        signal,
        name=f"after_c4_{signal.name}",
        title=f"After C4: {signal.title[0].lower()}{signal.title[1:]}",
        help=f"{signal.help.removesuffix('.')}{_LEFT}.",
        group="C4",
    )
    for signal in (*FINEWEB_LINES, *LIST_RATIO)
)
