"""The review store: events are never lost, never doubled, never changed, in SQLite and in PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from dashboard import free_port
from hypothesis import given
from hypothesis import strategies as st

from tamis.data.errors import SettingError, StoreError
from tamis.data.review_files import read_events, write_events
from tamis.data.reviews import Event, ReviewLog, ReviewStore, event_key, from_table, to_table

CORPUS = "c" * 64


def _event(number: int = 0, *, reviewer: str = "Ada", value: str = "keep", subject: str | None = None) -> Event:
    about = subject or f"document {number}"
    return Event(event_key(reviewer, about, value, number), reviewer, CORPUS, "document", about, "decision", value)


def _postgres() -> str | None:
    """Return the folder of PostgreSQL's programs, None where it is not installed."""
    if found := shutil.which("initdb"):
        return str(Path(found).parent)
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return str(folders[-1].parent) if folders else None


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Start a PostgreSQL server of our own on a free port; it does not run as root."""
    programs = _postgres()
    assert programs
    folder = Path(tempfile.mkdtemp(prefix="tamis-pg-"))
    # A server refuses to run as root, so root becomes the user that Debian made for it.
    user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, user, -1)

    def run(*command: str) -> None:
        options = {"user": user} if os.geteuid() == 0 else {}
        subprocess.run(
            [f"{programs}/{command[0]}", *command[1:]], check=True, capture_output=True, cwd=folder, **options
        )  # type: ignore[call-overload]

    data, port = str(folder / "data"), free_port()
    run("initdb", "-D", data, "-U", "tamis", "--auth=trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    yield f"postgresql+psycopg://tamis@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder)


BACKENDS = ["sqlite", *(["postgresql"] if _postgres() else [])]


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReviewStore]:
    """Return an empty store of each kind of database there is here."""
    if request.param == "sqlite":
        made = ReviewStore(f"sqlite:///{tmp_path / 'reviews.sqlite'}")
    else:
        made = ReviewStore(request.getfixturevalue("database"))
        made.events()
        import sqlalchemy

        engine = sqlalchemy.create_engine(made.url)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("TRUNCATE tamis_events RESTART IDENTITY"))
        engine.dispose()
    yield made
    made.close()


def test_an_event_sent_twice_is_stored_once(store: ReviewStore) -> None:
    assert store.add(_event(1)) and not store.add(_event(1))
    assert store.add_all([_event(1), _event(2), _event(2)]) == 1
    assert [event.subject for event in store.events()] == ["document 1", "document 2"]


def test_events_come_back_as_they_were_in_the_order_they_were_stored(store: ReviewStore) -> None:
    said = Event("k", "Zoë 王", CORPUS, "recipe", "a" * 64, "comment", "Why 0.8?\nSee <b>the</b> map", {"step": "s"})
    store.add(_event(1))
    store.add(said)
    found = store.events(CORPUS, kinds=["comment"])
    assert len(found) == 1 and found[0].number > store.events(CORPUS, kinds=["decision"])[0].number
    assert to_table(found).equals(to_table([said]))
    assert store.events("another corpus") == () and store.events(subject="document 1", after=0)[0].value == "keep"


def test_a_log_sees_what_another_connection_stores(store: ReviewStore) -> None:
    log = ReviewLog(store, CORPUS)
    assert log.events() == ()
    other = ReviewStore(store.url)
    for number in range(5):
        other.add(_event(number))
        assert len(log.events()) == number + 1
    other.close()


_WRITER = """
import sys
from tamis.data.reviews import Event, ReviewStore, event_key
url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = ReviewStore(url)
for number in range(count):
    key = event_key(name, number)
    store.add(Event(key, name, "c", "document", f"document {number}", "decision", "keep"))
    print(number, flush=True)
"""


def test_eight_processes_lose_and_double_nothing_while_one_is_killed(store: ReviewStore) -> None:
    count = 500 if "sqlite" in store.url else 200

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _WRITER, store.url, name, str(count)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    names = [f"reviewer {number}" for number in range(8)]
    processes = {name: start(name) for name in names}
    victim = processes[names[3]]
    assert victim.stdout is not None
    said = [victim.stdout.readline() for _ in range(20)]
    victim.send_signal(signal.SIGKILL)
    confirmed = len(said) + len(victim.stdout.read().split())
    victim.communicate()
    again = start(names[3])
    for process in [*(processes[name] for name in names if name != names[3]), again]:
        process.communicate(timeout=120)
        assert process.returncode == 0
    found = store.events("c")
    assert 20 <= confirmed < count
    assert len({event.key for event in found}) == len(found) == 8 * count
    numbers = [event.number for event in found]
    assert numbers == sorted(set(numbers))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), st.sampled_from(["keep", "drop", "unsure"])), max_size=20))
def test_files_hold_events_unchanged(rows: list[tuple[str, str]]) -> None:
    events = [
        Event(event_key(number), "Ada", CORPUS, "document", f"d{number}", "note", f"x{note}", {"said": value})
        for number, (note, value) in enumerate(rows)
    ]
    assert from_table(to_table(events)) == tuple(events)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("events.jsonl", "events.parquet"):
            path = Path(folder) / name
            write_events(events, path)
            assert read_events(path) == tuple(events)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reviewer", ""),
        ("reviewer", "a" * 81),
        ("reviewer", "two\nlines"),
        ("key", " "),
        ("subject", ""),
        ("subject_kind", "planet"),
        ("kind", "rumour"),
        ("value", "maybe"),
        ("value", ""),
    ],
)
def test_an_event_that_makes_no_sense_is_refused(field: str, value: str) -> None:
    given_ = {"key": "k", "reviewer": "Ada", "corpus": CORPUS, "subject_kind": "document", "subject": "d"}
    with pytest.raises(SettingError):
        Event(**{**given_, "kind": "decision", "value": "keep", field: value})  # type: ignore[arg-type]


def test_a_database_that_is_not_there_is_named_without_its_password() -> None:
    store = ReviewStore("postgresql+psycopg://ada:hunter2@127.0.0.1:1/reviews?connect_timeout=2")
    with pytest.raises(StoreError) as caught:
        store.add(_event())
    assert "TAMIS_REVIEWS" in str(caught.value) and "hunter2" not in str(caught.value)
    with pytest.raises(StoreError, match="not an SQLAlchemy URL"):
        ReviewStore("nonsense").events()


@pytest.mark.parametrize("name", ["a.csv", "lines.jsonl", "table.parquet"])
def test_a_file_that_holds_no_reviews_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"key": ["k"]}), path)
    else:
        path.write_text('{"key": 1}\nnot json\n')
    with pytest.raises(SettingError):
        read_events(path)


def test_reviews_go_from_one_workspace_to_another_by_command_line(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    ReviewStore.of(one).add_all([_event(1), _event(2, reviewer="Grace", value="drop")])
    tamis("reviews", "export", str(tmp_path / "events.jsonl"), home=one)
    first = tamis("reviews", "import", str(tmp_path / "events.jsonl"), home=two)
    again = tamis("reviews", "import", str(tmp_path / "events.jsonl"), home=two)
    assert "2 of 2 events are new" in first.stdout and "0 of 2 events are new" in again.stdout
    assert [event.value for event in ReviewStore.of(two).events(CORPUS)] == ["keep", "drop"]
