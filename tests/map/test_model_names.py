"""Names by a model: asked for only with consent, kept beside those of people, resumed, and the key kept nowhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from chat_server import Reply, chat_server
from dashboard import served, settle, tamis
from docstrings import docstrings, write_corpus
from playwright.sync_api import Page, expect

from tamis.analytics.map.model_names import SNIPPET_CHARACTERS, NamingPlan, name_by_model, plan_naming
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.app.dashboard.open_corpus import corpus_of, open_analysed
from tamis.data.chat import ChatEndpoint
from tamis.data.cluster_names import ModelName, carry_names, forget_model_names, name_cluster, read_model_names
from tamis.data.errors import Cancelled, EndpointError, SettingError
from tamis.data.progress import NullProgress
from tamis.data.workspace import Workspace

KEY = "sk-planted-Qx71-secret"
ROLES = ("--source", "source")


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Analyse a small corpus once; return the folder of its workspace."""
    root = tmp_path_factory.mktemp("names")
    corpus = write_corpus(root / "corpus", docstrings(), files=1)
    tamis(
        "analyze", str(corpus), "--name", "corpus", "--tier", "fast", "--map", "min_cluster_size=2", home=root / "home"
    )
    return root / "home"


@pytest.fixture
def home(analysed: Path, tmp_path: Path) -> Workspace:
    """Return a copy of the workspace, so that no test sees the names of another."""
    shutil.copytree(analysed, tmp_path / "home")
    return Workspace(tmp_path / "home")


def analysis_of(home: Workspace) -> Analysis:
    corpus = corpus_of(home, home.corpus("corpus"))
    return analyze(corpus, home, steps=analysis_steps(corpus, home))


def asked_of(home: Workspace, **more: int) -> NamingPlan:
    return plan_naming(analysis_of(home), home.root, "small", **more)


def names_shown(home: Workspace) -> dict[str, str]:
    return open_analysed(home, "corpus", corpus_of(home, home.corpus("corpus"))).cluster_names()


def test_a_question_holds_the_words_and_short_beginnings_and_nothing_else(home: Workspace) -> None:
    asked = asked_of(home)
    assert len(asked.questions) >= 3 and asked.known == 0
    texts = [" ".join(text.split()) for text in docstrings().column("text").to_pylist() if text]
    for question in asked.questions:
        assert 1 <= len(question.snippets) <= 3
        for snippet in question.snippets:
            assert len(snippet) <= SNIPPET_CHARACTERS and any(text.startswith(snippet) for text in texts)
    assert all(not question.snippets for question in asked_of(home, snippets=0).questions)
    with pytest.raises(SettingError, match="Snippets"):
        asked_of(home, snippets=11)


def test_names_come_from_people_then_a_model_then_words(home: Workspace) -> None:
    words, asked = names_shown(home), asked_of(home)
    first, second, third = (question.cluster for question in asked.questions[:3])
    name_cluster(home.root, asked.clustering, first, "Mine")
    name_cluster(home.root, asked.clustering, third, "Taken")
    asked = asked_of(home)
    assert first not in {question.cluster for question in asked.questions} and asked.known == 2
    answers = ["<b>junk</b>" if question.cluster != second else "taken" for question in asked.questions]
    with chat_server(lambda n: Reply(answers[n - 1])) as server:
        done = name_by_model(asked, ChatEndpoint(server.url, "small"), home.root)
    assert (done.named, done.refused, done.unanswered) == (1, len(answers) - 1, 0)
    shown, kept = names_shown(home), read_model_names(home.root, asked.clustering)
    assert shown[str(first)] == "Mine" and shown[str(second)] == f"taken ({asked.best[second]})"
    assert {key: name for key, name in shown.items() if int(key) not in (first, second, third)} == {
        key: name for key, name in words.items() if int(key) not in (first, second, third)
    }
    terms = next(question.terms for question in asked.questions if question.cluster == second)
    assert kept == {second: ModelName(shown[str(second)], "small", terms)}
    name_cluster(home.root, asked.clustering, second, "Mine too")
    assert names_shown(home)[str(second)] == "Mine too"
    name_cluster(home.root, asked.clustering, second, "")
    assert names_shown(home)[str(second)] == shown[str(second)]
    assert forget_model_names(home.root, asked.clustering) == 1 and names_shown(home)[str(second)] == words[str(second)]


class _StopsAfter(NullProgress):
    """Cancels after so many clusters."""

    def __init__(self, most: int) -> None:
        self.left = most

    def advance(self, n: int = 1) -> None:
        self.left -= n

    def check(self) -> None:
        if self.left <= 0:
            raise Cancelled("stopped")


def test_stopped_work_goes_on_where_it_stopped(home: Workspace) -> None:
    asked = asked_of(home)
    total = len(asked.questions)
    with chat_server(lambda n: Reply(f"Name of {'abcdefghijklmnopqrstuvwxyz'[n]}")) as server:
        endpoint = ChatEndpoint(server.url, "small")
        with pytest.raises(Cancelled):
            name_by_model(asked, endpoint, home.root, progress=_StopsAfter(2))
        again = asked_of(home)
        assert again.known == 2 and len(again.questions) == total - 2
        assert name_by_model(again, endpoint, home.root).named == total - 2 and len(server.asked) == total
    assert asked_of(home).questions == () and len(plan_naming(analysis_of(home), home.root, "other").questions) == total


def test_an_endpoint_that_fails_is_given_up_and_what_came_stays(home: Workspace) -> None:
    asked = asked_of(home)
    with chat_server(lambda n: Reply("Tax law") if n == 1 else Reply(raw=b"{}")) as server:
        with pytest.raises(EndpointError, match="chat-completions"):
            name_by_model(asked, ChatEndpoint(server.url, "small"), home.root)
        assert len(server.asked) == min(4, len(asked.questions))
    assert len(read_model_names(home.root, asked.clustering)) == 1


def test_names_are_carried_to_edited_clusters_except_the_edited(home: Workspace) -> None:
    asked = asked_of(home)
    with chat_server(lambda n: Reply(f"Name of {'abcdefghijklmnopqrstuvwxyz'[n]}")) as server:
        name_by_model(asked, ChatEndpoint(server.url, "small"), home.root)
    carry_names(home.root, asked.clustering, to="e" * 64, without=(0,))
    before, after = read_model_names(home.root, asked.clustering), read_model_names(home.root, "e" * 64)
    assert after == {number: name for number, name in before.items() if number != 0} and len(after) >= 2


def test_the_command_sends_only_with_consent_and_the_key_is_kept_nowhere(
    home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    path = home.corpus("corpus").path
    with chat_server(lambda n: Reply(f"Name of {'abcdefghijklmnopqrstuvwxyz'[n]}")) as server:
        given = ("--endpoint", server.url, "--model", "small", "--key-env", "SOME_KEY", *ROLES)
        shown = tamis("names", path, "--show", *ROLES, home=home.root)
        doubted = tamis("names", path, *given, home=home.root, check=False)
        assert server.asked == [] and "requests to 127.0.0.1" in doubted.stdout and doubted.returncode == 1
        sent = tamis("names", path, *given, "--yes", home=home.root)
        messages = [message["content"] for asked in server.asked for message in asked["messages"]]
        assert messages and all(message in shown.stdout for message in messages)
        assert {asked["key"] for asked in server.asked} == {f"Bearer {KEY}"}
    said = sent.stdout + sent.stderr + shown.stdout + doubted.stdout + doubted.stderr
    assert f"{len(server.asked)} clusters named" in sent.stdout and KEY not in said
    held = [file for file in home.root.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert held == []
    assert "forgot" in tamis("names", path, "--forget", *ROLES, home=home.root).stdout


def test_a_job_that_failed_says_why_without_the_key(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    path = home.corpus("corpus").path
    with chat_server(lambda _: Reply(raw=KEY.encode(), status=401)) as server:
        given = ("--endpoint", server.url, "--model", "small", "--key-env", "SOME_KEY", "--yes", *ROLES)
        failed = tamis("names", path, *given, home=home.root, check=False)
    assert failed.returncode == 2 and "the key is refused" in failed.stderr and KEY not in failed.stderr
    held = [file for file in home.root.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert held == []


def test_the_page_asks_for_names_only_with_an_endpoint_and_consent(
    home: Workspace, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, panel = Path(home.corpus("corpus").path), page.get_by_text("Names by a model")
    with served(home.root, corpus) as dashboard:
        page.goto(f"{dashboard.url}/clusters?corpus=corpus")
        settle(page)
        expect(page.get_by_text("Choose a cluster in the table")).to_be_visible(timeout=60_000)
        expect(panel).to_have_count(0)
    with chat_server(lambda n: Reply(f"Name of {'abcdefghijklmnopqrstuvwxyz'[n]}")) as server:
        for name, value in (("ENDPOINT", server.url), ("MODEL", "small"), ("KEY_ENV", "SOME_KEY")):
            monkeypatch.setenv(f"TAMIS_NAMES_{name}", value)
        monkeypatch.setenv("SOME_KEY", KEY)
        with served(home.root, corpus) as dashboard:
            page.goto(f"{dashboard.url}/clusters?corpus=corpus")
            settle(page)
            panel.click()
            page.get_by_text("Look at what would be sent").click()
            expect(page.get_by_text("exactly as it is sent")).to_be_visible(timeout=30_000)
            expect(page.get_by_role("button", name="Ask for names")).to_be_disabled()
            assert server.asked == []
            page.get_by_text("I agree that this goes to").click()
            page.get_by_role("button", name="Ask for names").click()
            expect(page.get_by_text("Name of b").first).to_be_visible(timeout=60_000)
            assert {asked["key"] for asked in server.asked} == {f"Bearer {KEY}"}
    assert not [file for file in home.root.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
