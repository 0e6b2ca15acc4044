"""Every error a person can cause, in one tree.

    TamisError
    ├── CorpusError        a corpus cannot be read: which file, why
    │   ├── RoleError      a column role is missing, ambiguous or of the wrong type
    │   └── PictureError   bytes that are no picture, or none that is read
    ├── StoreError         an artifact is missing, damaged or cannot be written
    │   └── LockedError    another process is writing the same artifact or run folder
    ├── RecipeError        a recipe, operator or parameter is not valid
    │   ├── PredicateError a predicate is not one allowed boolean expression
    │   └── ParameterError parameters of an operator are not valid: which, why
    ├── VerifyError        a bundle no longer gives what its lock promises
    ├── JobError           a background job cannot start or did not finish
    │   ├── Cancelled      a person stopped the work
    │   └── EndpointError  a model behind an address did not answer as it should
    ├── SettingError       a name, address or setting is not allowed
    └── AccessError        the role of a person does not allow this

The command line and the dashboard print a ``TamisError`` as one message. Any other exception is a bug and crashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class TamisError(Exception):
    """An error that states what is wrong, which value, what is allowed, and what to do.

    Args:
        what: one clause that names what failed.
        value: the offending value, shown with ``repr`` and shortened.
        allowed: accepted values, as a sentence or as the known names.
        fix: what the reader can do.

    Example:
        >>> print(ta.TamisError("Unknown column", value="lenght", allowed=("bytes", "length"), fix="choose another"))
        Unknown column: got 'lenght'. allowed: bytes, length. choose another.
    """

    def __init__(
        self, what: str, *, value: object = None, allowed: str | Iterable[str] | None = None, fix: str | None = None
    ) -> None:
        self.what, self.value, self.fix = what, value, fix
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else ", ".join(sorted(allowed))
        parts = [what if value is None else f"{what}: got {_short(value)}"]
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if fix:
            parts.append(fix)
        super().__init__(" ".join(part if part.endswith("?") else f"{part.rstrip('.')}." for part in parts))


def _short(value: object, limit: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


class CorpusError(TamisError):
    """A corpus cannot be read."""


class RoleError(CorpusError):
    """A column role is missing, ambiguous or of the wrong type."""


class PictureError(CorpusError):
    """Bytes that are no picture, or none that is read; ``what`` is the reason, a clause without a full stop."""


class StoreError(TamisError):
    """An artifact is missing, damaged or cannot be written."""


class LockedError(StoreError):
    """Another process holds the lock."""


class RecipeError(TamisError):
    """A recipe, operator or parameter is not valid."""


class PredicateError(RecipeError):
    """A predicate is not one allowed boolean expression."""


class ParameterError(RecipeError):
    """Parameters of an operator are not valid; ``faults`` says what is wrong with each, empty text for all together.

    A parameter that is required and absent has the fault ``MISSING``.
    """

    MISSING = "Field required"

    def __init__(self, what: str, *, faults: Mapping[str, str], allowed: Iterable[str]) -> None:
        super().__init__(what, allowed=allowed)
        self.faults = dict(faults)


class VerifyError(TamisError):
    """A bundle no longer gives what its lock promises."""


class JobError(TamisError):
    """A background job cannot start or did not finish."""


class Cancelled(JobError):  # noqa: N818 - an outcome people ask for, not a fault
    """A person stopped the work."""


class EndpointError(JobError):
    """A model behind an address did not answer as it should; ``fatal`` when further questions would fail too."""

    def __init__(self, what: str, *, fatal: bool, value: object = None, fix: str | None = None) -> None:
        super().__init__(what, value=value, fix=fix)
        self.fatal = fatal


class SettingError(TamisError):
    """A name, address or setting is not allowed."""


class AccessError(TamisError):
    """The role of a person does not allow this."""
