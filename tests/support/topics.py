"""Invented documents about a few topics, and unit vectors around a few centres: small corpora with a known answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOPICS = {
    "kitchen": "soup pepper onion garlic boil oven recipe butter salt flour knife plate",
    "sea": "ship harbour sail anchor storm wave captain island tide rudder deck sailor",
    "music": "violin melody chord piano rhythm concert orchestra tune singer choir drum flute",
    "garden": "rose seed soil spade hedge blossom compost lawn tulip greenhouse weed pruning",
}
GLUE = ["the", "of", "and", "with", "for", "a", "in", "on", "is"]


def topic_texts(per_topic: int, *, seed: int = 0, words: int = 14) -> tuple[list[str], NDArray[np.int64]]:
    """Return texts and the number of the topic of each, topic by topic; glue words are everywhere."""
    random = np.random.default_rng(seed)
    texts, labels = [], []
    for number, vocabulary in enumerate(TOPICS.values()):
        for _ in range(per_topic):
            own = random.choice(vocabulary.split(), size=words // 2)
            glue = random.choice(GLUE, size=words - words // 2)
            texts.append(" ".join(random.permutation(np.concatenate([own, glue]))))
            labels.append(number)
    return texts, np.array(labels)


def blob_vectors(
    per_blob: int, *, blobs: int = 4, dimensions: int = 16, spread: float = 0.15, seed: int = 0
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Return unit vectors around random centres, float16 (n, d), and the number of the centre of each."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(blobs, dimensions))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    labels = np.repeat(np.arange(blobs), per_blob)
    vectors = centres[labels] + spread * random.normal(size=(len(labels), dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16), labels
