"""Classes of Unicode code points: one table of bits, built from Python's own Unicode database.

The bits agree with Python's string methods (``isspace``, ``isalpha``, ``splitlines`` ...), so a kernel that reads them
agrees with a plain Python reference. ``unicodedata.unidata_version`` is part of the version of every table.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Kernels compile these values in: this line adds the file to the digest that names the folder of compiled kernels.
SPACE = 1 << 0  # str.isspace
ALPHA = 1 << 1  # str.isalpha
DIGIT = 1 << 2  # str.isdigit
UPPER = 1 << 3  # str.isupper
LOWER = 1 << 4  # str.islower
ALNUM = 1 << 5  # str.isalnum
BREAK = 1 << 6  # str.splitlines ends a line here
PUNCTUATION = 1 << 7  # Unicode category P
SYMBOL = 1 << 8  # Unicode category S
NUMERIC = 1 << 9  # Unicode category N
CONTROL = 1 << 10  # Unicode category Cc except tab, line feed and carriage return
MARKUP = 1 << 11  # a word of only these characters is a symbol, not a word (Gopher as datatrove counts)
TERMINAL = 1 << 12  # ends a line in the FineWeb rule
SENTENCE = 1 << 13  # ends a sentence
UNSPACED = 1 << 14  # letter of a script that is written without spaces between words
EDGE = 1 << 15  # split off at both ends of a word
LEADING = 1 << 16  # split off at the beginning of a word
TRAILING = 1 << 17  # split off at the end of a word
HYPHEN = 1 << 18  # splits two letters
QUOTE = 1 << 19  # quotation mark
MARK = 1 << 20  # Unicode category M
EMOJI = 1 << 21  # in a block of pictographs
PRIVATE = 1 << 22  # private use or unassigned
ICON = 1 << 23  # Unicode category So
DECIMAL = 1 << 24  # str.isdecimal, which \d matches
TITLE = 1 << 25  # Unicode category Lt: cased, but neither upper nor lower case

_DIRECT = {
    "isspace": SPACE,
    "isalpha": ALPHA,
    "isdigit": DIGIT,
    "isupper": UPPER,
    "islower": LOWER,
    "isalnum": ALNUM,
    "isdecimal": DECIMAL,
}
_CATEGORY = {"P": PUNCTUATION, "S": SYMBOL, "N": NUMERIC, "M": MARK}

LINE_BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧"
EDGES = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪" + QUOTES
LEADINGS = "§%=—–+$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₸₹₺₼₿"
TRAILINGS = "—–"
HYPHENS = "-–—~"

# Punctuation whose words do not count as words in datatrove's Gopher quality filter, and the terminal marks of its
# FineWeb filter, as code points. A test compares them with the installed package.
SYMBOL_MARKS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
SYMBOL_RANGES = ((0, 9), (11, 13), (13, 32), (127, 160))
TERMINAL_POINTS = (
    0x21, 0x2E, 0x3F, 0x589, 0x61D, 0x61E, 0x61F, 0x6D4, 0x700, 0x701, 0x702, 0x7F9, 0x837, 0x839, 0x83D, 0x83E,
    0x964, 0x965, 0x104A, 0x104B, 0x1362, 0x1367, 0x1368, 0x166E, 0x1735, 0x1736, 0x17D4, 0x17D5, 0x17D6, 0x17D9,
    0x17DA, 0x1803, 0x1809, 0x1944, 0x1945, 0x1AA8, 0x1AA9, 0x1AAA, 0x1AAB, 0x1B5A, 0x1B5B, 0x1B5E, 0x1B5F, 0x1B7D,
    0x1B7E, 0x1C3B, 0x1C3C, 0x1C7E, 0x1C7F, 0x203C, 0x203D, 0x2047, 0x2048, 0x2049, 0x2E2E, 0x2E3C, 0x2E53, 0x2E54,
    0x3002, 0xA4FF, 0xA60E, 0xA60F, 0xA6F3, 0xA6F7, 0xA876, 0xA877, 0xA8CE, 0xA8CF, 0xA92F, 0xA9C8, 0xA9C9, 0xAA5D,
    0xAA5E, 0xAA5F, 0xAAF0, 0xAAF1, 0xABEB, 0xFE52, 0xFE56, 0xFE57, 0xFF01, 0xFF0E, 0xFF1F, 0xFF61, 0x10A56,
    0x10A57, 0x10F55, 0x10F56, 0x10F57, 0x10F58, 0x10F59, 0x10F86, 0x10F87, 0x10F88, 0x10F89, 0x11047, 0x11048,
    0x110BE, 0x110BF, 0x110C0, 0x110C1, 0x11141, 0x11142, 0x11143, 0x111C5, 0x111C6, 0x111CD, 0x111DE, 0x111DF,
    0x11238, 0x11239, 0x1123B, 0x1123C, 0x112A9, 0x1144B, 0x1144C, 0x115C2, 0x115C3, 0x115C9, 0x115CA, 0x115CB,
    0x115CC, 0x115CD, 0x115CE, 0x115CF, 0x115D0, 0x115D1, 0x115D2, 0x115D3, 0x115D4, 0x115D5, 0x115D6, 0x115D7,
    0x11641, 0x11642, 0x1173C, 0x1173D, 0x1173E, 0x11944, 0x11946, 0x11A42, 0x11A43, 0x11A9B, 0x11A9C, 0x11C41,
    0x11C42, 0x11EF7, 0x11EF8, 0x11F43, 0x11F44, 0x16A6E, 0x16A6F, 0x16AF5, 0x16B37, 0x16B38, 0x16B44, 0x16E98,
    0x1BC9F, 0x1DA88,
)  # fmt: skip
# Terminal marks that do not end a sentence for spaCy's sentencizer.
NOT_SENTENCE_POINTS = (
    0x61D, 0x61E, 0x837, 0x839, 0x83D, 0x83E, 0x17D4, 0x17D5, 0x17D6, 0x17D9, 0x17DA, 0x1B7D, 0x1B7E, 0x2E53,
    0x2E54, 0x10F55, 0x10F56, 0x10F57, 0x10F58, 0x10F59, 0x10F86, 0x10F87, 0x10F88, 0x10F89, 0x11944, 0x11946,
    0x11EF7, 0x11EF8, 0x11F43, 0x11F44, 0x16E98,
)  # fmt: skip

# Blocks of scripts that are written without spaces between words: a word count by white space means nothing there.
UNSPACED_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19FF),  # Tai Le, New Tai Lue, Khmer symbols
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x2E80, 0x2FDF),  # Han radicals
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x312F),  # Bopomofo
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),  # Yi
    (0xAA60, 0xAADF),  # Myanmar, Tai Viet
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # halfwidth Katakana
    (0x1B000, 0x1B16F),
    (0x20000, 0x323AF),
)
EMOJI_RANGES = ((0x1F300, 0x1FAFF), (0x2600, 0x27BF), (0x1F000, 0x1F2FF))

_SPANS = ((0, 0x323B0), (0xE0000, 0xE01F0))


@lru_cache(maxsize=1)
def character_classes() -> NDArray[np.uint32]:
    """Return the bits of every code point, uint32 (0x110000,), read-only."""
    table = np.zeros(0x110000, dtype=np.uint32)
    for first, end in _SPANS:
        points = [chr(point) for point in range(first, end)]
        for method, bit in _DIRECT.items():
            table[first:end] |= np.array([getattr(point, method)() for point in points], dtype=np.uint32) * bit
        categories = [unicodedata.category(point) for point in points]
        for letter, bit in _CATEGORY.items():
            table[first:end] |= np.array([name[0] == letter for name in categories], dtype=np.uint32) * bit
        table[first:end] |= np.array([name == "Cc" for name in categories], dtype=np.uint32) * CONTROL
        table[first:end] |= np.array([name in ("Co", "Cn") for name in categories], dtype=np.uint32) * PRIVATE
        table[first:end] |= np.array([name == "So" for name in categories], dtype=np.uint32) * ICON
        table[first:end] |= np.array([name == "Lt" for name in categories], dtype=np.uint32) * TITLE
    table[0x323B0:0xE0000] = PRIVATE
    table[0xE01F0:] = PRIVATE
    for ordinary in "\t\n\r":
        table[ord(ordinary)] &= ~np.uint32(CONTROL)
    _mark(table)
    table.flags.writeable = False
    return table


def _mark(table: NDArray[np.uint32]) -> None:
    """Set the bits that come from lists rather than from Unicode properties."""
    lists = {
        BREAK: LINE_BREAKS,
        QUOTE: QUOTES,
        EDGE: EDGES,
        LEADING: LEADINGS,
        TRAILING: TRAILINGS,
        HYPHEN: HYPHENS,
        MARKUP: SYMBOL_MARKS,
    }
    for bit, characters in lists.items():
        table[[ord(character) for character in characters]] |= np.uint32(bit)
    for first, end in SYMBOL_RANGES:
        table[first:end] |= np.uint32(MARKUP)
    for bit, ranges in ((UNSPACED, UNSPACED_RANGES), (EMOJI, EMOJI_RANGES)):
        for first, last in ranges:
            table[first : last + 1] |= np.uint32(bit)
    table[list(TERMINAL_POINTS)] |= np.uint32(TERMINAL | MARKUP | SENTENCE)
    table[list(NOT_SENTENCE_POINTS)] &= ~np.uint32(SENTENCE)


@lru_cache(maxsize=1)
def lower_points() -> NDArray[np.int32]:
    """Return the lower-case form of every code point that has one of a single character, int32 (0x110000,)."""
    table = np.arange(0x110000, dtype=np.int32)
    for first, end in _SPANS:
        for point in range(first, end):
            lowered = chr(point).lower()
            if len(lowered) == 1:
                table[point] = ord(lowered)
    table.flags.writeable = False
    return table
