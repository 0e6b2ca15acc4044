"""The review store: decisions of people about documents, clusters, selections, recipes, steps and hits.

Events are only added, never changed, each in its own transaction, under a key that the sender makes: sending one again
adds nothing. The store is SQLite in the workspace (write-ahead log, synchronous), or any database of SQLAlchemy.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Literal, get_args

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import event as hooks
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import digest

Subject = Literal["document", "cluster", "selection", "recipe", "step", "hit", "pair"]
Kind = Literal["decision", "note", "tag", "untag", "comment", "proposal", "approval"]
DECISIONS = ("keep", "drop", "unsure")
APPROVALS = ("approved", "changes asked")
LONGEST_VALUE = 10_000
LONGEST_NAME = 80
ADDRESS = "TAMIS_REVIEWS"
"""Environment variable with the SQLAlchemy URL of a shared review store."""

_BUSY_SECONDS = 30
_OVERLAP = 200
_METADATA = sa.MetaData()
_EVENTS = sa.Table(
    "tamis_events",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("reviewer", sa.String(LONGEST_NAME), nullable=False),
    sa.Column("corpus", sa.String(64), nullable=False),
    sa.Column("subject_kind", sa.String(20), nullable=False),
    sa.Column("subject", sa.String(1000), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("context", sa.Text, nullable=False),
    sa.Index("tamis_events_by_subject", "corpus", "kind", "subject_kind"),
)


@dataclass(frozen=True)
class Event:
    """One decision, note, tag or comment of one person.

    Attributes:
        key: made by the sender, at most 64 characters; a key that is known adds nothing.
        reviewer: who, at most 80 characters.
        corpus: content fingerprint of the corpus, empty for events without a corpus.
        subject_kind: kind of the subject.
        subject: id or digest of the subject.
        kind: kind of the event.
        value: the decision, tag, or text.
        context: plain values, for example the queue, the recipe's digest, whether the reviewer was blind.
        at: UTC, ISO 8601 with microseconds.
        number: position in the store, 0 for an event that is not stored yet.
    """

    key: str
    reviewer: str
    corpus: str
    subject_kind: Subject
    subject: str
    kind: Kind
    value: str
    context: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""
    number: int = 0

    def __post_init__(self) -> None:
        _check(self)
        if not self.at:
            object.__setattr__(self, "at", datetime.now(UTC).isoformat(timespec="microseconds"))


def _check(event: Event) -> None:
    for name, value, limit in (
        ("key", event.key, 64),
        ("reviewer", event.reviewer, LONGEST_NAME),
        ("subject", event.subject, 1000),
    ):
        if not value.strip() or len(value) > limit or not value.isprintable():
            raise SettingError(f"A review event has no such {name}", value=value, allowed=f"1 to {limit} characters")
    if len(event.corpus) > 64:
        raise SettingError("A review event has no such corpus", value=event.corpus, allowed="at most 64 characters")
    if event.subject_kind not in get_args(Subject):
        raise SettingError("Unknown subject of a review", value=event.subject_kind, allowed=get_args(Subject))
    if event.kind not in get_args(Kind):
        raise SettingError("Unknown kind of review event", value=event.kind, allowed=get_args(Kind))
    allowed = {"decision": DECISIONS, "approval": APPROVALS}.get(event.kind)
    if allowed and event.value not in allowed:
        raise SettingError(f"Unknown {event.kind}", value=event.value, allowed=allowed)
    if not event.value.strip() or len(event.value) > LONGEST_VALUE:
        raise SettingError(
            f"The text of a {event.kind}", value=event.value, allowed=f"1 to {LONGEST_VALUE:,} characters"
        )


@dataclass(frozen=True)
class ReviewStore:
    """Events in a database; safe for many processes at once.

    Attributes:
        url: SQLAlchemy URL.
    """

    url: str

    @classmethod
    def of(cls, root: Path) -> ReviewStore:
        """Return the store of a workspace: that of ``TAMIS_REVIEWS``, or SQLite in the folder."""
        return cls(os.environ.get(ADDRESS) or f"sqlite:///{root / 'reviews.sqlite'}")

    @cached_property
    def _engine(self) -> sa.Engine:
        try:
            address = sa.make_url(self.url)
            local = address.get_backend_name() == "sqlite"
            if local and address.database:
                Path(address.database).parent.mkdir(parents=True, exist_ok=True)
            options: dict[str, Any] = {"connect_args": {"timeout": _BUSY_SECONDS}} if local else {"pool_pre_ping": True}
            engine = sa.create_engine(address, **options)
            if local:
                hooks.listen(engine, "connect", _prepare_sqlite)
            _make_tables(engine)
        except (SQLAlchemyError, ImportError, OSError) as error:
            raise self._unreachable(error) from error
        return engine

    def _unreachable(self, error: Exception) -> StoreError:
        return StoreError(
            f"The review store cannot be used ({type(error).__name__})",
            value=_shown(self.url),
            fix=f"check {ADDRESS} and that the database runs, or unset it to keep reviews in the workspace",
        )

    def add(self, event: Event) -> bool:
        """Store an event in a transaction of its own; return whether it is new."""
        return self.add_all([event]) == 1

    def add_all(self, events: Iterable[Event]) -> int:
        """Store events, each on its own; return how many are new.

        Raises:
            StoreError: the database cannot be written.
        """
        new = 0
        for event in events:
            row = {name: getattr(event, name) for name in _NAMES if name not in ("number", "context")}
            row["context"] = json.dumps(dict(event.context), sort_keys=True, ensure_ascii=False)
            try:
                with self._engine.begin() as connection:
                    connection.execute(_EVENTS.insert().values(row))
                new += 1
            except IntegrityError:
                continue
            except SQLAlchemyError as error:
                raise self._unreachable(error) from error
        return new

    def events(
        self,
        corpus: str | None = None,
        *,
        kinds: Sequence[Kind] = (),
        subject_kind: Subject | None = None,
        subject: str | None = None,
        after: int = 0,
    ) -> tuple[Event, ...]:
        """Return events in the order they were stored.

        Args:
            corpus: only those of one corpus.
            kinds: only these kinds; empty for all.
            subject_kind, subject: only those about this subject.
            after: only those with a larger number.

        Raises:
            StoreError: the database cannot be read.
        """
        wanted = sa.select(_EVENTS).where(_EVENTS.c.number > after).order_by(_EVENTS.c.number)
        filters = ((_EVENTS.c.corpus, corpus), (_EVENTS.c.subject_kind, subject_kind), (_EVENTS.c.subject, subject))
        for column, value in filters:
            if value is not None:
                wanted = wanted.where(column == value)
        if kinds:
            wanted = wanted.where(_EVENTS.c.kind.in_(list(kinds)))
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(wanted).mappings().all()
        except SQLAlchemyError as error:
            raise self._unreachable(error) from error
        return tuple(Event(**{**row, "context": json.loads(row["context"])}) for row in rows)

    def newest(self) -> int:
        """Return the number of the newest event, 0 when there is none."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.max(_EVENTS.c.number))).scalar() or 0)

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        if "_engine" in self.__dict__:
            self._engine.dispose()


@dataclass
class ReviewLog:
    """The events of one corpus, cached in a process; each call reads only new ones.

    Attributes:
        store: the store that holds them.
        corpus: content fingerprint.
    """

    store: ReviewStore
    corpus: str
    _seen: dict[str, Event] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def events(self) -> tuple[Event, ...]:
        """Return all events in the order they were stored."""
        with self._lock:
            last = max((event.number for event in self._seen.values()), default=0)
            # A transaction with a smaller number may end later, so a few are read again.
            for event in self.store.events(self.corpus, after=max(0, last - _OVERLAP)):
                self._seen[event.key] = event
            return tuple(sorted(self._seen.values(), key=lambda event: event.number))


_NAMES = tuple(item.name for item in fields(Event))
SCHEMA = pa.schema([(name, pa.string()) for name in _NAMES if name != "number"])


def event_key(*parts: object) -> str:
    """Return the key of an event from the parts that identify it: equal parts, equal key."""
    return digest([str(part) for part in parts])


def to_table(events: Iterable[Event]) -> pa.Table:
    """Return events as a table of texts, ``context`` as JSON, in the order given."""
    rows = [
        {name: getattr(event, name) for name in SCHEMA.names if name != "context"}
        | {"context": json.dumps(dict(event.context), sort_keys=True, ensure_ascii=False)}
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def from_table(table: pa.Table) -> tuple[Event, ...]:
    """Return the events of a table made by ``to_table``.

    Raises:
        SettingError: columns are missing, or a value is not allowed.
    """
    missing = set(SCHEMA.names) - set(table.column_names)
    if missing:
        raise SettingError(
            "The file holds no reviews: columns are missing", value=sorted(missing), allowed=SCHEMA.names
        )
    found = []
    for number, row in enumerate(table.select(SCHEMA.names).cast(SCHEMA).to_pylist(), start=1):
        try:
            context = json.loads(row["context"] or "{}")
        except ValueError:
            context = None
        if not isinstance(context, dict) or any(row[name] is None for name in SCHEMA.names):
            raise SettingError(f"Row {number} holds no review", value=row)
        found.append(Event(**{**row, "context": context}))
    return tuple(found)


def _make_tables(engine: sa.Engine) -> None:
    try:
        _METADATA.create_all(engine)
    except SQLAlchemyError:
        # Another process created them in the meantime.
        if not sa.inspect(engine).has_table(_EVENTS.name):
            raise


def _prepare_sqlite(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _shown(url: str) -> str:
    """Return the URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "not an SQLAlchemy URL"
