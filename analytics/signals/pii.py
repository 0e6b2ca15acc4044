"""Personal data and secrets in a text: their kind and position, found by patterns. Version numbers can look like IP
addresses, and names of persons are not found.

A quick scan of the code points selects the documents that can contain a match; only those are searched.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.phrases import Phrases, phrases_at

KINDS = ("secret", "email", "card", "ip", "phone")
"""In order of precedence: a match of one kind never overlaps a match of an earlier kind."""


@dataclass(frozen=True)
class PiiFinding:
    """One piece of personal data.

    Attributes:
        kind: one of ``KINDS``.
        begin, end: code points of the text.
    """

    kind: str
    begin: int
    end: int


_SECRETS = (
    r"AKIA[0-9A-Z]{16}",  # access key id of Amazon
    r"gh[pousr]_[A-Za-z0-9]{36,255}",  # GitHub token
    r"xox[abeoprs]-[A-Za-z0-9-]{10,250}",  # Slack token
    r"AIza[0-9A-Za-z_-]{35}",  # Google key
    r"sk_live_[0-9A-Za-z]{16,200}",  # Stripe key
    r"sk-[A-Za-z0-9_-]{32,200}",  # key of a language model service
    r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}",  # JSON web token
    r"-----BEGIN (?:[A-Z]{2,12} )?PRIVATE KEY-----",
)
_ASSIGNED = (
    r"(?i:password|passwd|secret|api[_-]?key|access[_-]?token)[\"']?\s{0,3}[:=]\s{0,3}[\"']([^\"'\s<>]{8,200})[\"']"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PATTERNS = {
    "secret": re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_SECRETS)})|{_ASSIGNED}"),
    "email": re.compile(
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}"
        r"[A-Za-z]{2,24}(?![A-Za-z0-9])"
    ),
    "card": re.compile(r"(?<![0-9])(?<![0-9][ -])[2-6](?:[ -]?[0-9]){12,18}(?![ -]?[0-9])"),
    "ip": re.compile(
        rf"(?<![0-9A-Za-z.]){_OCTET}(?:\.{_OCTET}){{3}}(?!\.?[0-9A-Za-z])"
        r"|(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])"
    ),
    "phone": re.compile(
        r"(?<![0-9A-Za-z+])\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,5}\)?){2,5}(?![0-9])"
        r"|(?<![0-9A-Za-z.+-])(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[0-9]{3}[ .-][0-9]{4}(?![0-9A-Za-z-])"
    ),
}


_TRIGGER_WORDS = (
    "akia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "xox", "aiza", "sk_live_", "sk-", "eyj", "-----begin", "password",
    "passwd", "secret", "apikey", "api_key", "api-key", "accesstoken", "access_token", "access-token",
)  # fmt: skip
"""What every match of the secret patterns begins with or contains, in lower case."""


_TRIGGERS = Phrases.of(_TRIGGER_WORDS)


def find_pii(text: str) -> list[PiiFinding]:
    """Return personal data and secrets in a text, by position, without overlap."""
    taken: list[PiiFinding] = []
    for kind in KINDS:
        for begin, end in _matches(kind, text):
            if all(end <= other.begin or begin >= other.end for other in taken):
                taken.append(PiiFinding(kind, begin, end))
    return sorted(taken, key=lambda finding: finding.begin)


def pii_counts(block: Block) -> NDArray[np.float64]:
    """Return the number of findings of each of ``KINDS`` in each document, and their sum, float64 (n, 6)."""
    values = np.zeros((len(block), len(KINDS) + 1))
    suspects = np.zeros(len(block), dtype=np.bool_)
    _suspect(block.points, block.starts, _TRIGGERS, suspects)
    for document in np.flatnonzero(suspects):
        for finding in find_pii(block.text(int(document))):
            values[document, KINDS.index(finding.kind)] += 1
            values[document, -1] += 1
    return values


def _matches(kind: str, text: str) -> Iterator[tuple[int, int]]:
    for match in _PATTERNS[kind].finditer(text):
        begin, end = match.span(1) if kind == "secret" and match.group(1) is not None else match.span()
        if _is_real(kind, text[begin:end]):
            yield begin, end


def _is_real(kind: str, found: str) -> bool:
    digits = [int(character) for character in found if character.isdigit()]
    if kind == "card":
        return luhn(digits) and len(set(digits)) > 1
    if kind == "phone":
        return 8 <= len(digits) <= 15
    if kind == "ip":
        return _is_public(found)
    return True


def luhn(digits: list[int]) -> bool:
    """Say whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = [2 * digit for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(digit - 9 if digit > 9 else digit for digit in doubled)) % 10 == 0


def _is_public(found: str) -> bool:
    groups = [group for group in found.split(":") if group]
    if ":" in found and (len(groups) < 3 or not any(map(str.isdigit, found))):
        return False
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    return address.is_global


@njit(cache=True, nogil=True)
def _suspect(points, starts, triggers, suspects):  # type: ignore[no-untyped-def]
    """Mark documents with an at sign, many digits or dots among digits, three colons, or the beginning of a secret."""
    for document in range(len(starts) - 1):
        digits, dots, gap, colons = 0, 0, 0, 0
        last = starts[document + 1]
        for i in range(starts[document], last):
            point = points[i]
            hexadecimal = 48 <= point <= 57 or 65 <= point <= 70 or 97 <= point <= 102
            if 48 <= point <= 57:
                digits += 1
                gap = 0
            elif gap < 3 and point in (32, 45, 46, 40, 41, 43):
                gap += 1
                dots += 1 if point == 46 else 0
            else:
                digits, dots, gap = 0, 0, 0
            if point == 58:
                colons += 1
            elif not hexadecimal:
                colons = 0
            address = (digits >= 4 and dots >= 3) or digits >= 8 or colons >= 3
            if point == 64 or address or phrases_at(points, i, last, triggers) != 0:
                suspects[document] = True
                break
