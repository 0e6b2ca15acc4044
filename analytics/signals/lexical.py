"""Vocabulary of a document: distinct words, entropy, MTLD, stop words, and reading ease.

The stop words are a few dozen function words per language that nearly every text of the language contains.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.repetition import PlainWords
from tamis.analytics.text.block import Block
from tamis.analytics.text.hash_table import count, filled_table, find, mask_for
from tamis.analytics.text.words import HAS_ALPHA, IS_MARK, IS_STOP, Words, word_hash

STOP_WORDS_BY_LANGUAGE: dict[str, str] = {
    "ar": "من في على إلى عن أن إن لا ما هذا هذه التي الذي كان كانت مع كل بين أو ثم قد هو هي لم لن بعد قبل عند غير كما",
    "cs": "a v na je se že s z do o k i to jako pro by od ale za po jsou ve který která které jeho tak být není může",
    "da": "og i at det er en til af på med for der den ikke som de et har fra var kan om han men sig vi jeg eller være",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus"
    " er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum kann oder",
    "en": "the of and to in a is that for it as was with be by on not he i this are or his from at which but have"
    " an had they you were their one all we can her has there been if more when will would who so no",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si"
    " sin sobre este ya entre cuando todo esta ser son dos también fue había era muy",
    "fi": "ja on ei se että hän oli joka mutta ovat olla myös kun niin kuin ole sen tai jos voi vain mukaan sekä tämä",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec ou"
    " son comme mais on elle nous vous été aux cette ses être ont leur à",
    "hu": "a az és hogy nem is egy ez meg de csak volt van mint már el ha azt vagy aki ki fel még kell minden után",
    "id": "yang dan di dengan untuk dari dalam ini itu tidak pada adalah ke oleh akan juga atau ada bahwa mereka"
    " sebagai",
    "it": "di e che la il un a per è in una non sono del si con da i le dei come nel ma al più anche della gli alla"
    " ha delle questo o su lo dal se ci essere",
    "nl": "de van het een en in is dat op te zijn met voor niet aan er om ook als die door naar bij of uit dan"
    " wordt maar nog heeft over hij worden kan deze was",
    "no": "og i det er på en som til for med at av ikke den har de et om var fra men seg kan vi jeg han hun eller ble",
    "pl": "w i na z do się nie że to jest o jak po za od co ale przez tym dla jego tak oraz są być przy tylko może ich",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à"
    " seu sua ou ser quando muito há nos já está eu também só pelo pela até",
    "ro": "de și în a la cu pe nu că o un este din pentru care să mai se ce fi sunt dar al ale ca au fost prin după"
    " sau",
    "ru": "и в не на что с как а то он это по но к из у за от о так же было для все бы она его только мы они"
    " который или если быть при том этого чтобы может",
    "sv": "och i att det som en på är av för med till den har de inte om ett han men var jag från vi kan så eller"
    " hon sig",
    "tr": "ve bir bu da de için ile olarak çok daha gibi olan ne kadar en sonra ama o her var ya hem değil ki göre",
    "uk": "і в на не що з до як та це за у він для від але по так його які який або також бути може якщо при було був",
    "vi": "và của là có trong được cho các một không với những người này đã khi để đến từ cũng như về ra nhiều theo",
}

LANGUAGES = tuple(STOP_WORDS_BY_LANGUAGE)


def _table() -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
    """Return an open-addressing table: keys uint64 (s,), 0 if free; language bits int64 (s,); number of languages."""
    bits: dict[int, int] = {}
    for place, words in enumerate(STOP_WORDS_BY_LANGUAGE.values()):
        for word in words.split():
            key = word_hash(word)
            bits[key] = bits.get(key, 0) | 1 << place
    return *filled_table(bits), len(LANGUAGES)


STOP_WORD_TABLE = _table()


MTLD_TTR = 0.72
MTLD_WORDS = 100


def vocabulary(words: PlainWords) -> NDArray[np.float64]:
    """Measure the vocabulary of each document.

    Returns:
        float64 (n, 6): number of words; their mean length; distinct words per word; entropy of the word distribution in
        nats; MTLD (McCarthy and Jarvis 2010: mean of both directions, type-token ratio 0.72, NaN below 100 words or
        when the ratio never falls); stop words per word, in the language whose list matches most. Ratios are NaN
        without words.
    """
    values = np.full((len(words.starts) - 1, 6), np.nan)
    most = int(np.diff(words.starts).max(initial=0))
    slots = 1 << max(4, int(2 * most).bit_length())
    keys = np.zeros(slots, dtype=np.uint64)
    stamps, counts = np.zeros(slots, dtype=np.int32), np.zeros(slots, dtype=np.int32)
    logs = np.array([0.0, *(k * math.log(k) for k in range(1, 1024))])
    _vocabulary(words.hashes, words.lengths, words.starts, keys, stamps, counts, logs, *STOP_WORD_TABLE, values)
    return values


def reading(block: Block, words: Words) -> NDArray[np.float64]:
    """Measure sentences and reading ease.

    Returns:
        float64 (n, 2): number of sentences (a sentence ends at ``. ? !`` and similar marks, as in spaCy's sentencizer);
        Flesch reading ease 206.835 - 1.015 words / sentences - 84.6 syllables / words (Flesch 1948), where syllables
        are groups of vowels without a final silent e. NaN without words.
    """
    values = np.full((len(block), 2), np.nan)
    _reading(block.points, words.begin, words.end, words.starts, words.kinds, values)
    return values


@njit(cache=True, nogil=True)
def _factors(hashes, first, words, step, keys, stamps, counts, stamp, mask):  # type: ignore[no-untyped-def]
    """Return (MTLD factors in one direction, the next unused stamp)."""
    factors, types, tokens = 0.0, 0, 0
    stamp += np.int32(1)
    for k in range(words):
        w = first + k if step > 0 else first + words - 1 - k
        tokens += 1
        slot = count(hashes[w], keys, stamps, counts, stamp, mask)
        types += 1 if counts[slot] == 1 else 0
        if types < MTLD_TTR * tokens:
            factors += 1.0
            types, tokens = 0, 0
            stamp += np.int32(1)
    if tokens > 0:
        factors += (1.0 - types / tokens) / (1.0 - MTLD_TTR)
    return factors, stamp


@njit(cache=True, nogil=True)
def _stop_share(hashes, first, words, stop_keys, stop_languages, tallies):  # type: ignore[no-untyped-def]
    """Return the number of stop words in the language with most of them; the table maps key -> bits of languages."""
    tallies[:] = 0
    for w in range(first, first + words):
        slot = find(hashes[w], stop_keys, stop_keys)
        if stop_keys[slot] != 0:
            bits = stop_languages[slot]
            for k in range(len(tallies)):
                tallies[k] += (bits >> k) & 1
    return tallies.max()


@njit(cache=True, nogil=True)
def _vocabulary(hashes, lengths, starts, keys, stamps, counts, logs, stop_keys, stop_languages, languages, values):  # type: ignore[no-untyped-def]
    stamp = np.int32(0)
    tallies = np.zeros(languages, dtype=np.int64)
    for document in range(len(starts) - 1):
        first, words = starts[document], starts[document + 1] - starts[document]
        values[document, 0] = words
        if words == 0:
            continue
        mask = mask_for(words)
        stamp += np.int32(1)
        length, types, weight = 0, 0, 0.0
        for w in range(first, first + words):
            length += lengths[w]
            times = counts[count(hashes[w], keys, stamps, counts, stamp, mask)]
            types += 1 if times == 1 else 0
            # The sum of c log c grows by c log c - (c - 1) log (c - 1) each time a word occurs again.
            if times < len(logs):
                weight += logs[times] - logs[times - 1]
            else:
                weight += times * math.log(times) - (times - 1) * math.log(times - 1)
        values[document, 1], values[document, 2] = length / words, types / words
        values[document, 3] = max(math.log(words) - weight / words, 0.0)
        if words >= MTLD_WORDS:
            ahead, stamp = _factors(hashes, first, words, 1, keys, stamps, counts, stamp, mask)
            back, stamp = _factors(hashes, first, words, -1, keys, stamps, counts, stamp, mask)
            if ahead > 0 and back > 0:
                values[document, 4] = (words / ahead + words / back) / 2
        values[document, 5] = _stop_share(hashes, first, words, stop_keys, stop_languages, tallies) / words


@njit(cache=True, nogil=True)
def _is_vowel(point):  # type: ignore[no-untyped-def]
    point |= 32
    return (
        point in (97, 101, 105, 111, 117, 121)
        or 0xE0 <= point <= 0xE6
        or 0xE8 <= point <= 0xEF
        or 0xF2 <= point <= 0xFD
    )


@njit(cache=True, nogil=True)
def _syllables(points, first, end):  # type: ignore[no-untyped-def]
    groups, inside = 0, False
    for i in range(first, end):
        vowel = _is_vowel(points[i])
        groups += 1 if vowel and not inside else 0
        inside = vowel
    silent = (
        end - first > 2
        and points[end - 1] | 32 == 101
        and not _is_vowel(points[end - 2])
        and points[end - 2] | 32 != 108
    )
    return max(groups - 1 if silent else groups, 1)


@njit(cache=True, nogil=True)
def _reading(points, begin, end, starts, kinds, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        sentences, words, syllables, closed = 0, 0, 0, False
        for w in range(starts[document], starts[document + 1]):
            if w > starts[document]:
                gap = begin[w] - end[w - 1]
                spaced = gap > 1 or (gap == 1 and points[end[w - 1]] != 32)
                if closed and (spaced or (kinds[w] & (IS_MARK | IS_STOP)) == 0):
                    sentences += 1
                    closed = False
            else:
                sentences = 1
            closed = closed or (kinds[w] & IS_STOP) != 0
            if (kinds[w] & HAS_ALPHA) != 0:
                words += 1
                syllables += _syllables(points, begin[w], end[w])
        values[document, 0] = sentences
        if words > 0:
            values[document, 1] = 206.835 - 1.015 * words / sentences - 84.6 * syllables / words
