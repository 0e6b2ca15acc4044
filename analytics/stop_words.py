"""Function words of some languages, a few dozen each: what nearly every text of the language contains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.words import word_hash

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
    """Return an open-addressing table: keys uint64 (s,), 0 where free; bits of languages int64 (s,); how many."""
    bits: dict[int, int] = {}
    for place, words in enumerate(STOP_WORDS_BY_LANGUAGE.values()):
        for word in words.split():
            key = word_hash(word)
            bits[key] = bits.get(key, 0) | 1 << place
    slots = 1 << (4 * len(bits)).bit_length()
    keys, languages = np.zeros(slots, dtype=np.uint64), np.zeros(slots, dtype=np.int64)
    for key, value in bits.items():
        slot = _first_slot(key) & (slots - 1)
        while keys[slot]:
            slot = (slot + 1) & (slots - 1)
        keys[slot], languages[slot] = key, value
    return keys, languages, len(LANGUAGES)


def _first_slot(key: int) -> int:
    from tamis.analytics.words import MIX

    return ((key ^ (key >> 32)) * int(MIX) & 0xFFFFFFFFFFFFFFFF) >> 32


STOP_WORD_TABLE = _table()
