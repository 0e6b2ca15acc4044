"""Who may do what in a workspace: names and their roles, in one small file that people can read.

``people.json`` holds ``{"people": {"ada@example.org": "owner"}, "others": "viewer"}``. Where there is no such file,
everyone has the role the server gives to those it lets in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from tamis.data.errors import AccessError, SettingError, StoreError
from tamis.data.hashing import digest
from tamis.data.lock import Lock
from tamis.data.parquet import write_bytes

Role = Literal["nobody", "viewer", "reviewer", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
MEANING: Mapping[Role, str] = {
    "nobody": "sees nothing",
    "viewer": "looks at everything and tries recipes of their own",
    "reviewer": "also decides on documents, writes notes, tags and comments, and proposes recipes",
    "owner": "also approves recipes and starts analyses, measurements, exports and runs",
}
LONGEST = 80
_FILE = "people.json"


@dataclass(frozen=True)
class People:
    """The roles of a workspace.

    Attributes:
        roles: role by name, names in lower case.
        others: role of everyone who is not named; None where the server decides.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    others: Role | None = None

    @classmethod
    def of(cls, root: Path) -> People:
        """Read the file of a workspace; nobody is named where there is none.

        Raises:
            StoreError: the file is damaged, so that nobody can be let in.
        """
        path = root / _FILE
        if not path.is_file():
            return cls()
        try:
            value = json.loads(path.read_text("utf-8"))
            found = cls({str(name): role_named(role) for name, role in value["people"].items()}, value.get("others"))
            if found.others is not None:
                role_named(found.others)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SettingError) as error:
            raise StoreError(
                f"The file of roles cannot be used: {error}", value=str(path), fix="correct it or write it anew"
            ) from error
        return found

    def role(self, name: str, *, otherwise: Role) -> Role:
        """Return the role of a person; ``otherwise`` where the file says nothing."""
        return self.roles.get(_folded(name), self.others or otherwise)

    def having(self, name: str, role: Role | None) -> People:
        """Return a copy in which one person has a role, or is not named any more."""
        folded = check_person(name)
        roles = {known: given for known, given in self.roles.items() if known != folded}
        return replace(self, roles=roles if role is None else {**roles, folded: role})


def change_people(root: Path, name: str, role: Role | None) -> People:
    """Give one person a role, or stop naming them, and return what the file says then.

    ``*`` as the name stands for everyone who is not named.

    Raises:
        SettingError: the name is not allowed.
        StoreError: the file is damaged or another process writes it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with Lock(root / "people.lock", what="The file of roles"):
        known = People.of(root)
        changed = replace(known, others=role) if name == "*" else known.having(name, role)
        value = {"people": dict(sorted(changed.roles.items())), "others": changed.others}
        write_bytes(root / _FILE, json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n")
    return changed


def role_named(name: str) -> Role:
    """Return a role by its name.

    Raises:
        SettingError: there is none.
    """
    if name not in ROLES:
        raise SettingError("There is no such role", value=name, allowed=ROLES)
    return name


def check_person(name: str) -> str:
    """Return the name of a person as it is looked up: lower case, no white space around.

    Raises:
        SettingError: it is empty, too long, or holds what cannot be printed.
    """
    folded = _folded(name)
    if not folded or len(folded) > LONGEST or not folded.isprintable():
        raise SettingError("This cannot be a person's name", value=name, allowed=f"1 to {LONGEST} printable characters")
    return folded


def short_name(name: str) -> str:
    """Return a name as it is stored: at most 80 characters, and two different long names stay different."""
    known = name.strip()
    return known if len(known) <= LONGEST else f"{known[: LONGEST - 17]}~{digest(known)[:16]}"


def _folded(name: str) -> str:
    return name.strip().lower()


def may(role: Role, needed: Role) -> bool:
    """Say whether a role is enough."""
    return ROLES.index(role) >= ROLES.index(needed)


def require(role: Role, needed: Role, *, to: str) -> None:
    """Make sure that a role is enough.

    Args:
        role: what the person has.
        needed: what it takes.
        to: what the person wants to do, after "You may not".

    Raises:
        AccessError: it is not.
    """
    if not may(role, needed):
        raise AccessError(
            f"You may not {to}",
            value=role,
            allowed=f"{needed}{' or owner' if needed == 'reviewer' else ''}",
            fix="ask an owner to run: tamis people NAME --role " + needed,
        )
