"""Planted pools: invented texts whose best selection is known because it was put there.

Every domain is a Markov chain over invented words; texts of one domain share words and word pairs, texts of two domains
share only the frequent words. Noise, templates and duplicates are planted at stated rates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_ONSETS = ("b", "br", "c", "d", "dr", "f", "g", "gl", "h", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr")
_CORES = ("a", "e", "i", "o", "u", "ai", "ea", "io", "ou")
_CODAS = ("", "n", "r", "s", "l", "t", "m")


class Domain:
    """Texts about one thing.

    Args:
        name: seeds the words, so equal names are equal domains.
        common: words that all domains share.
    """

    def __init__(self, name: str, common: list[str], *, words: int = 900, fan: int = 12) -> None:
        random = np.random.default_rng([ord(letter) for letter in name])
        self.words = common + invented(words, random)
        count = len(self.words)
        popularity = 1.0 / np.arange(1, count + 1) ** 0.8
        chances = random.permuted(popularity[len(common) :])
        chances = np.concatenate([popularity[: len(common)], chances])
        self._next = random.choice(count, size=(count, fan), p=chances / chances.sum())

    def text(self, random: np.random.Generator, length: int) -> str:
        """Return one text of ``length`` words."""
        word = int(random.integers(len(self.words)))
        parts = []
        for step in random.integers(self._next.shape[1], size=length):
            word = int(self._next[word, step]) if random.random() > 0.1 else int(random.integers(len(self.words)))
            parts.append(self.words[word])
        return " ".join(parts) + "."


def invented(count: int, random: np.random.Generator) -> list[str]:
    """Return distinct invented words."""
    found: dict[str, None] = {}
    while len(found) < count:
        parts = random.integers(1, 4)
        word = "".join(str(random.choice(_ONSETS)) + str(random.choice(_CORES)) for _ in range(parts))
        found[word + str(random.choice(_CODAS))] = None
    return list(found)


def noise(random: np.random.Generator, length: int) -> str:
    """Return a text of random letters."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz0123456789#%/=+"))
    return " ".join("".join(random.choice(letters, size=random.integers(2, 9))) for _ in range(length))


@dataclass(frozen=True)
class Pool:
    """A pool, and what each of its documents is.

    Attributes:
        texts: large_string (n,).
        kind: (n,), ``target``, another domain's name, or ``noise``.
        copy_of: int64 (n,), the document this one repeats, -1 for none.
        target: texts of the target domain that are not in the pool.
    """

    texts: pa.Array
    kind: NDArray[np.str_]
    copy_of: NDArray[np.int64]
    target: pa.Array

    def __len__(self) -> int:
        return len(self.kind)


def planted_pool(
    *,
    documents: int = 4000,
    target: int = 300,
    share: float = 0.1,
    noisy: float = 0.1,
    copied: float = 0.2,
    repeated: int = 40,
    seed: int = 5,
) -> Pool:
    """Return a pool in which ``share`` of the documents come from the target's domain.

    Args:
        documents: size of the pool.
        target: size of the target.
        share: of the pool that is of the target's domain.
        noisy: share of noise.
        copied: share of documents that repeat another one.
        repeated: how many documents are repeated, over and over.
        seed: of the texts.
    """
    random = np.random.default_rng(seed)
    common = invented(150, np.random.default_rng(0))
    domains = {name: Domain(name, common) for name in ("target", "law", "sea", "kitchen", "engine")}
    others = [name for name in domains if name != "target"]
    fresh = int(documents * (1 - copied))
    kinds, texts = [], []
    for _ in range(fresh):
        draw = random.random()
        kind = "target" if draw < share else "noise" if draw < share + noisy else str(random.choice(others))
        length = int(random.integers(40, 160))
        kinds.append(kind)
        texts.append(noise(random, length) if kind == "noise" else domains[kind].text(random, length))
    copies = random.integers(min(repeated, fresh), size=documents - fresh)
    kinds += [kinds[k] for k in copies]
    texts += [texts[k] for k in copies]
    examples = [domains["target"].text(random, int(random.integers(40, 160))) for _ in range(target)]
    copy_of = np.concatenate([np.full(fresh, -1), copies]).astype(np.int64)
    return Pool(pa.array(texts, pa.large_string()), np.array(kinds), copy_of, pa.array(examples, pa.large_string()))
