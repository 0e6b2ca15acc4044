"""Texts made of awkward pieces, the same on every machine: what the references are compared on without any corpus."""

from __future__ import annotations

import random

PIECES = (
    "the", "be", "to", "of", "and", "that", "have", "with", "word", "Word", "don't", "can't", "I'm", "e.g.",
    "U.S.", "p.m.", "9am", "Mr.", "vs.", "a-b", "well-known", "co-op", "#", "#tag", "...", "…", "x…y", "..",
    "•", "- ", "—", "–", "--", "&", "@x", "~", " ", "  ", "\n", "\n\n", "\n\n\n", "\r\n", "\t", "\x0b", "\x1c",
    "\x85", "\u2028", "\u00a0", "\u3000", "\u200b", "\x00", ".", ",", "!", "?", '"', "'", "(", ")", "[", "]",
    "{", "}", "'s", "'em", "x=5", "a/b", "12:30", "3-4", "50%", "12", "10km", "$5", "€9", "C++", "o_O", ":)",
    ":-(", ".\n", "!\n", '."\n', "... ", "…\n", "http://a.b/c?d=%20e", "https://example.org", "me@x.org",
    "- item\n", "• point\n", "* star\n", "3 likes\n", "HELLO\n", "lorem ipsum", "Lorem Ipsum", "javascript",
    "JavaScript on", "terms of use", "privacy policy.", "use cookies", "[1]", "[12]", "[edit]",
    "[citation needed]", "This is a sentence. ", "Another one here! ", "Is it? ", "Yes.\n",
    "one two three four five.\n", "one two three.\n", "read more", "x" * 1001 + " y z.\n", "ﬁ", "İ", "ǅ",
    "\u00ad", "٪", "。", "，", "中文", "日本語。", "ประเทศ", "हिन्दी", "।", "שלום", "مرحبا", "😀", "👨‍👩‍👧", "é",
    "e\u0301", "\ufffd", "²", "Ⅷ", "\U0001d7d8", "Ã©", "â€™", "return x;\n", "if (a == b) {\n", "\u212a",
)  # fmt: skip


def generated_texts(count: int, seed: int = 0) -> list[str]:
    """Return texts of 0 to 300 pieces, from small or large sets of pieces, joined by nothing, spaces or line feeds."""
    draw = random.Random(seed)
    texts = []
    for _ in range(count):
        length = draw.choice((0, 1, 3, 10, 30, 100, 300))
        pool = draw.sample(PIECES, draw.choice((3, 8, 25, 80)))
        joiner = draw.choice(("", " ", " ", " ", "\n"))
        texts.append(joiner.join(draw.choice(pool) for _ in range(length)))
    return texts
