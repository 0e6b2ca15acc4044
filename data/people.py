"""Roles of people in a workspace: names and roles in one small readable file.

``people.json`` holds ``{"people": {"ada@example.org": "owner"}, "others": "viewer"}``. Without this file
everyone has the role that the server gives after login.
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
        others: role of everyone who is not named; None if the server decides.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    others: Role | None = None

    @classmethod
    def of(cls, root: Path) -> People:
        """Read the file of a workspace; without a file no one has a role.

        Raises:
            StoreError: the file is damaged; then no one gets access.
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
        """Return the role of a person; ``otherwise`` if the file does not define one."""
        return self.roles.get(_folded(name), self.others or otherwise)

    def having(self, name: str, role: Role | None) -> People:
        """Return a copy in which one person has a role, or is removed with None."""
        folded = check_person(name)
        roles = {known: other for known, other in self.roles.items() if known != folded}
        return replace(self, roles=roles if role is None else {**roles, folded: role})


def change_people(root: Path, name: str, role: Role | None) -> People:
    """Give one person a role, or remove them with None, and return the new content of the file.

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
        SettingError: the role does not exist.
    """
    if name not in ROLES:
        raise SettingError("There is no such role", value=name, allowed=ROLES)
    return name


def check_person(name: str) -> str:
    """Return the normalised name of a person: lower case, without surrounding white space.

    Raises:
        SettingError: the name is empty, too long, or has characters that cannot be printed.
    """
    folded = _folded(name)
    if not folded or len(folded) > LONGEST or not folded.isprintable():
        raise SettingError("This cannot be a person's name", value=name, allowed=f"1 to {LONGEST} printable characters")
    return folded


def short_name(name: str) -> str:
    """Return a name as it is stored: at most 80 characters; different long names stay different."""
    known = name.strip()
    return known if len(known) <= LONGEST else f"{known[: LONGEST - 17]}~{digest(known)[:16]}"


def _folded(name: str) -> str:
    return name.strip().lower()


def may(role: Role, needed: Role) -> bool:
    """Say whether a role is sufficient."""
    return ROLES.index(role) >= ROLES.index(needed)


def require(role: Role, needed: Role, *, to: str) -> None:
    """Check that a role is sufficient.

    Args:
        role: role of the person.
        needed: role that the action needs.
        to: the action, as it follows "You may not".

    Raises:
        AccessError: the role is not sufficient.
    """
    if not may(role, needed):
        raise AccessError(
            f"You may not {to}",
            value=role,
            allowed=f"{needed}{' or owner' if needed == 'reviewer' else ''}",
            fix="ask an owner to run: tamis people NAME --role " + needed,
        )
