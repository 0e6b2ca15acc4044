"""The definitions of all signals of the fused pass, as tables with one line per signal.

The signals of characters, words, lines and repetition come first, in the order in which the kernels return their
columns; then those of the other conventions (NeMo, RefinedWeb, RedPajama-V2, data-juicer), of vocabulary and of shape.
"""

from __future__ import annotations

from dataclasses import replace

from tamis.analytics.signals.repetition import DUPLICATE, TOP
from tamis.analytics.signals.signal import Signal
from tamis.analytics.text.conventions import Convention

UNSPACED_NULL = "NULL for texts in scripts without spaces."


def signal_table(text: str, *, group: str, convention: str, source: str, step: str = "signals") -> tuple[Signal, ...]:
    """Return the signals of a table.

    Args:
        text: one line per signal: ``name | kind | title | help``. A kind is ``share`` (0 to 1), ``flag`` (0 or 1),
            ``count UNIT`` (whole numbers), ``mean UNIT`` or ``ratio`` (numbers from 0), ``number UNIT`` (any number).
        group, convention, source, step: the same for all of them.
    """
    return tuple(_signal(line, group, convention, source, step) for line in text.strip().splitlines())


def _signal(line: str, group: str, convention: str, source: str, step: str) -> Signal:
    name, kind, title, help_ = (part.strip() for part in line.split("|", 3))
    form, _, unit = kind.partition(" ")
    if form not in ("share", "flag", "count", "mean", "ratio", "number"):
        raise ValueError(f"signal {name} has an unknown kind: {kind}")
    return Signal(
        name=name,
        title=title,
        help=help_,
        unit=unit or form,
        convention=convention,
        source=source,
        dtype="int32" if form in ("count", "flag") else "float32",
        low=None if form == "number" else 0.0,
        high=1.0 if form in ("share", "flag") else None,
        group=group,
        step=step,
    )


def by_words(signals: tuple[Signal, ...], by: Convention) -> tuple[Signal, ...]:
    """Return the signals with the names and descriptions they have under a word convention."""
    return tuple(
        replace(
            signal,
            name=by.prefix + signal.name,
            title=f"{signal.title} ({by.title})" if by.prefix else signal.title,
            help=f"{signal.help} {UNSPACED_NULL}" if by.spaced_only else signal.help,
            convention=by.name,
            package=by.package,
        )
        for signal in signals
    )


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


NEMO = "NeMo Curator 1.4, heuristic filters"
DCLM = "Penedo et al. 2023, arXiv 2306.01116; as the DCLM baseline applies it (arXiv 2406.11794)"
REDPAJAMA = "Weber et al. 2024, arXiv 2411.12372 (RedPajama-V2)"
JUICER = "data-juicer 1.6"

SPLIT_WORDS = signal_table(
    """
    split_words | count words | Words between white space | Words between white space.
    split_mean_word_length | mean characters | Mean length between white space | Mean length of words between white space; NULL without words.
    split_longest_word | count characters | Longest between white space | Length of the longest word between white space.
    split_alpha_word_share | share | NeMo: words with letters | Words between white space with at least one letter; NULL without words.
    split_symbol_word_share | share | Words that are symbols | Words between white space that are # or an ellipsis; NULL without words.
    split_stop_words | count words | Stop word occurrences | Occurrences of the, be, to, of, and, that, have, with in lower case.
    """,  # noqa: E501
    group="NeMo",
    convention="white space",
    source=NEMO,
)

NEMO_CHARACTERS = signal_table(
    """
    nemo_non_alnum_share | share | Outside plain characters | Characters outside a-z A-Z 0-9, line feed and ? ! , . ; NULL for an empty document.
    decimal_share | share | Decimal digits | Decimal digits of any script; NULL for an empty document.
    nemo_space_share | share | Plain white space | Tabs, line feeds, carriage returns, backspaces and spaces; NULL for an empty document.
    bracket_share | share | Brackets | Characters among { } ⟨ ⟩ [ ] ( ) ; NULL for an empty document.
    url_share | share | Addresses | Characters in addresses that begin with http:// or https://; NULL for an empty document.
    n_urls | count addresses | Number of addresses | Addresses that begin with http:// or https://.
    """,  # noqa: E501
    group="NeMo",
    convention="code points",
    source=NEMO,
)

NEMO_LINES = signal_table(
    """
    nemo_bullet_line_share | share | NeMo: bullet lines | Lines that begin with one of 12 bullet characters, hyphens not among them; NULL without lines.
    nemo_open_line_share | share | NeMo: lines not closed | Lines that do not end in . ? ! " or '; NULL without lines.
    nemo_ellipsis_line_share | share | NeMo: ellipsis lines | Lines that end in an ellipsis or read more; NULL without lines.
    nemo_distinct_line_share | share | NeMo: distinct lines | Distinct lines per line; NULL without lines.
    nemo_distinct_line_char_share | share | NeMo: characters in distinct lines | Characters of distinct lines per character of lines; NULL without lines.
    nemo_distinct_paragraph_share | share | NeMo: distinct paragraphs | Distinct paragraphs per paragraph; runs of blank lines give empty paragraphs, which count.
    nemo_distinct_paragraph_char_share | share | NeMo: characters in distinct paragraphs | Characters of distinct paragraphs per character of paragraphs; NULL when all are empty.
    nemo_boilerplate_share | share | NeMo: boilerplate | Paragraphs with a policy or cookie phrase; 1 when lorem ipsum occurs.
    """,  # noqa: E501
    group="NeMo",
    convention="line feeds, blank lines left out; paragraphs at two line feeds",
    source=NEMO,
)

REFINEDWEB_WORDS = signal_table(
    """
    rw_words | count words | RefinedWeb: words | Words between white space that begin with a letter or digit.
    rw_symbol_word_ratio | ratio | RefinedWeb: symbols | #, ..., . . . and … per word between white space; NULL without words.
    rw_stop_words | count words | RefinedWeb: stop word occurrences | Occurrences of the, be, to, of, and, that, have, with in any case.
    """,  # noqa: E501
    group="RefinedWeb",
    convention="white space",
    source=DCLM,
)

REFINEDWEB_LINES = signal_table(
    """
    rw_bullet_line_share | share | RefinedWeb: bullet lines | Lines that begin with ● • * or -; NULL without lines.
    rw_ellipsis_line_share | share | RefinedWeb: ellipsis lines | Lines that end in ... or . . . or …; NULL without lines.
    rw_duplicate_line_share | share | RefinedWeb: repeated lines | Lines that occur twice or more, every copy counted; NULL without lines.
    rw_duplicate_line_char_share | share | RefinedWeb: characters in repeated lines | Characters in lines that occur twice or more; NULL without lines.
    rw_duplicate_paragraph_share | share | RefinedWeb: repeated paragraphs | Paragraphs that occur twice or more, every copy counted; NULL without paragraphs.
    rw_duplicate_paragraph_char_share | share | RefinedWeb: characters in repeated paragraphs | Characters in paragraphs that occur twice or more; NULL without paragraphs.
    rw_removed_word_share | share | RefinedWeb: words in removed lines | Words in lines that are more than half upper case, all digits, counters such as 3 likes, or a single word; NULL without words.
    """,  # noqa: E501
    group="RefinedWeb",
    convention="line feeds, white space around lines and blank lines left out",
    source=DCLM,
)


_COUNTED = "Characters of the most frequent {n} words in a row times its count; 0 when none repeats."
_COVERED = "Characters covered by {n} words in a row that occur twice or more."


def _cover(prefix: str, title: str) -> str:
    top = [
        f"{prefix}_top_{n}gram_share | ratio | {title}: most frequent {n} words | {_COUNTED.format(n=n)}"
        for n in (2, 3, 4)
    ]
    covered = [
        f"{prefix}_duplicate_{n}gram_share | share | {title}: repeated {n} words | {_COVERED.format(n=n)}"
        for n in range(5, 11)
    ]
    return "\n".join(f"{line} Per character of the words; NULL without words." for line in (*top, *covered))


REFINEDWEB_NGRAMS = signal_table(_cover("rw", "RefinedWeb"), group="RefinedWeb", convention="words", source=DCLM)

REDPAJAMA_RAW = signal_table(
    """
    rps_raw_words | count words | RedPajama: raw words | Runs of word characters, and runs of other characters.
    rps_symbol_word_ratio | ratio | RedPajama: symbols | #, ... and … per raw word; NULL without words.
    rps_no_alpha_word_share | share | RedPajama: words without letters | Raw words without an ASCII letter; NULL without words.
    rps_upper_word_share | share | RedPajama: words in upper case | Raw words in upper case; NULL without words.
    rps_ellipsis_line_share | share | RedPajama: ellipsis lines | Lines that end in ... or …; NULL for an empty document.
    rps_curly_bracket_share | share | RedPajama: curly brackets | { and } per character; NULL for an empty document.
    rps_lorem_ipsum_ratio | share | RedPajama: lorem ipsum | Occurrences of lorem ipsum per normalised character; NULL without normalised characters.
    rps_sentences | count sentences | RedPajama: sentences | Runs of text up to . ! or ?.
    """,  # noqa: E501
    group="RedPajama-V2",
    convention="runs of word characters",
    source=REDPAJAMA,
)

REDPAJAMA_NGRAMS = signal_table(
    _cover("rps", "RedPajama"),
    group="RedPajama-V2",
    convention="normalised words",
    source=REDPAJAMA,
)

VOCABULARY = signal_table(
    """
    rps_words | count words | Normalised words | Words between white space in lower case, without ASCII punctuation.
    rps_mean_word_length | mean characters | Mean length of normalised words | Mean length of normalised words; NULL without words.
    unique_word_share | share | Distinct words | Distinct normalised words per word; NULL without words.
    unigram_entropy | mean nats | Word entropy | Entropy of the distribution of normalised words; NULL without words.
    mtld | mean words | MTLD | Mean length of word sequences that keep a type-token ratio of 0.72, both directions (McCarthy and Jarvis 2010); NULL below 100 words.
    stop_word_share | share | Stop word share | Normalised words that are stop words of one language, that of the best match among 21; NULL without words.
    """,  # noqa: E501
    group="Vocabulary",
    convention="normalised words",
    source=REDPAJAMA,
)

READING = signal_table(
    """
    n_sentences | count sentences | Sentences | Sentences, ended by . ? ! and their like.
    flesch | number points | Flesch reading ease | 206.835 - 1.015 words per sentence - 84.6 syllables per word, a formula for English; NULL without words.
    """,  # noqa: E501
    group="Vocabulary",
    convention="words",
    source="Flesch 1948; sentences as spaCy's sentencizer cuts",
)

SHAPE = signal_table(
    """
    alnum_share | share | Letters and digits | Letters and digits per character; NULL for an empty document.
    special_char_share | share | Special characters | Characters other than letters and the marks on them; NULL for an empty document.
    mean_line_length | mean characters | Mean line length | Characters per line; NULL for an empty document.
    longest_line | count characters | Longest line | Length of the longest line; NULL for an empty document.
    code_line_share | share | Code lines | Lines that end in ; { } or have more than one code mark for every five characters; NULL without lines.
    mojibake | count characters | Mojibake | Characters that look like UTF-8 read as Windows-1252.
    char_repetition_share | share | Repeated characters | Runs of 10 characters that repeat, the most frequent of them; NULL below 10 characters and above 2 million.
    """,  # noqa: E501
    group="Shape",
    convention="code points, splitlines",
    source=JUICER,
)

WORD_RUNS = signal_table(
    "word_repetition_share | share | Repeated word runs | Runs of 10 normalised words that occur twice or more;"
    " 0 below 10 words.",
    group="Repetition",
    convention="normalised words",
    source=JUICER,
)

COMPRESSION = signal_table(
    "compression_ratio | ratio | Compression ratio | Bytes of the text per byte after zlib, level 6;"
    " NULL for an empty document.",
    group="Shape",
    convention="UTF-8 bytes",
    source="zlib, raw deflate",
)

PII = signal_table(
    """
    pii_secrets | count findings | Secrets | Keys, tokens and passwords in known forms.
    pii_emails | count findings | E-mail addresses | E-mail addresses.
    pii_cards | count findings | Card numbers | Numbers of 13 to 19 digits with a valid check digit (Luhn).
    pii_ips | count findings | IP addresses | Public addresses of computers, versions 4 and 6; version numbers of four parts look the same.
    pii_phones | count findings | Phone numbers | Phone numbers in international or North American form.
    pii_findings | count findings | Personal data | E-mail and IP addresses, phone and card numbers, secrets.
    """,  # noqa: E501
    group="Personal data",
    convention="patterns of analytics/signals/pii.py",
    source="own patterns; check digit by ISO/IEC 7812-1",
)
