"""Agents get exact answers, see no text unless the owner allows it, and change nothing; people approve proposals."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from agent_client import Agent, command, said
from command_line import tamis
from docstrings import docstrings, write_corpus
from mcp.client import Client
from shared_corpus import SharedCorpus

from tamis.analytics.agents import questions
from tamis.analytics.agents.disclosure import Disclosure
from tamis.analytics.embedding.stored_vectors import embedder_of, load_vectors
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.proposals import proposals_of
from tamis.analytics.study.nearest_documents import vectors_of
from tamis.analytics.study.study import Study
from tamis.app.agents.open_studies import OpenStudies
from tamis.app.agents.server import agent_server
from tamis.data.errors import AccessError, JobError, RecipeError, TamisError
from tamis.data.people import change_people
from tamis.data.reviews import ReviewStore
from tamis.data.workspace import CorpusEntry, Workspace

RECIPE = (
    Recipe(title="Once, and long enough")
    .with_operator("signal_range", signal="n_tokens", min=20)
    .with_operator("exact_dedup")
    .with_operator("near_dedup", threshold=0.6)
)
EVERY_CALL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("list_corpora", {}),
    ("describe_corpus", {}),
    ("describe_column", {"column": "meta_path"}),
    ("describe_column", {"column": "n_tokens"}),
    ("search_documents", {"kind": "words", "query": "return", "limit": 100}),
    ("search_documents", {"kind": "regex", "query": "[a-z]+", "limit": 100}),
    ("search_documents", {"kind": "condition", "query": "n_tokens > 30", "limit": 100}),
    ("search_documents", {"kind": "meaning", "query": "parse an XML document", "limit": 100}),
    ("count_documents", {"condition": "source = 'json'"}),
    ("list_rules", {}),
    ("preview_rule", {"operator": "signal_range", "params": {"signal": "n_tokens", "min": 30}}),
    ("preview_rule", {"operator": "sql_predicate", "params": {"predicate": "meta_path LIKE '%parse%'"}}),
    ("try_recipe", {"recipe": RECIPE.to_yaml()}),
    ("read_ledger", {"recipe": RECIPE.to_yaml(), "limit": 200}),
    ("read_ledger", {"recipe": Recipe().with_operator("category", column="meta_path", values=["x"]).to_yaml()}),
    ("list_proposals", {}),
)


@pytest.fixture(scope="module")
def home(docstring_corpus: SharedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(docstring_corpus.copy_home(tmp_path_factory.mktemp("agents") / "home"))


@pytest.fixture(scope="module")
def study(home: Workspace) -> Study:
    found = OpenStudies(home).study("corpus")
    found.measure(RECIPE)
    return found


@pytest.fixture(scope="module")
def texts(study: Study) -> list[str]:
    return [str(text) for text in study.corpus.texts_of(study.corpus.fetch(study.documents, np.arange(study.facts.n)))]


@pytest.fixture(scope="module")
def agent(home: Workspace, study: Study) -> Agent:
    return Agent(agent_server(home))


def test_an_agent_gets_only_tools_that_read_unless_more_is_allowed(home: Workspace) -> None:
    plain = Agent(agent_server(home)).tools()
    assert {"list_corpora", "search_documents", "preview_rule", "read_ledger"} <= set(plain)
    assert all(tool.annotations.read_only_hint for tool in plain.values())
    more = Agent(agent_server(home, texts=True, person="Ada")).tools()
    assert set(more) - set(plain) == {"read_text", "propose_recipe"}
    assert not more["propose_recipe"].annotations.read_only_hint


def test_the_description_of_a_corpus_is_that_of_its_facts(agent: Agent, study: Study) -> None:
    assert agent.ask("list_corpora")["result"] == [{"name": "corpus", "fingerprint": study.corpus.fingerprint}]
    found = agent.ask("describe_corpus", corpus="corpus")
    facts = study.facts
    assert (found["documents"], found["tokens"]) == (facts.n, int(facts.whole("n_tokens").sum()))
    assert found["columns"] == list(facts.columns) and found["embedding"] == "fast"
    assert sum(each["documents"] for each in found["sources"]) == facts.n
    assert found["findings"] and not found["texts_may_leave"]
    for each in found["findings"]:
        recipe = Recipe().with_operator(each["drop"]["operator"], **each["drop"]["params"])
        assert facts.n - study.evaluate(recipe).output.documents == each["documents"], each["title"]


def test_percentiles_of_a_column_are_values_that_documents_have(agent: Agent, study: Study) -> None:
    found = agent.ask("describe_column", corpus="corpus", column="n_words")["percentiles"]
    values = np.sort(study.facts.numbers("n_words"))
    assert (found["0"], found["100"]) == (values[0], values[-1])
    assert found["50"] == values[int(np.ceil(len(values) / 2)) - 1]


@pytest.mark.parametrize("least", [0, 17, 60, 10**9])
def test_a_count_is_exact(agent: Agent, study: Study, least: int) -> None:
    tokens = study.facts.whole("n_tokens")
    found = agent.ask("count_documents", corpus="corpus", condition=f"n_tokens > {least}")
    assert found == {
        "documents": int((tokens > least).sum()), "tokens": int(tokens[tokens > least].sum()),
        "of_documents": len(tokens), "of_tokens": int(tokens.sum()),
    }  # fmt: skip


@pytest.mark.parametrize("query", ["parse", "Parse XML", "return the", "nosuchword"])
def test_a_search_by_words_finds_them_in_this_order_over_any_white_space_in_any_case(
    agent: Agent, study: Study, texts: list[str], query: str
) -> None:
    wanted = {row for row, text in enumerate(texts) if query.lower() in " ".join(text.lower().split())}
    found = agent.ask("search_documents", corpus="corpus", kind="words", query=query, limit=100)
    ids = study.facts.ids.to_pylist()
    assert found["documents"] == len(wanted)
    assert [hit["id"] for hit in found["hits"]] == [ids[row] for row in sorted(wanted)][:100]
    assert found["tokens"] == int(study.facts.whole("n_tokens")[sorted(wanted)].sum())


def test_pages_of_a_search_join_to_the_whole_and_a_condition_narrows_it(agent: Agent, texts: list[str]) -> None:
    asked = {"corpus": "corpus", "kind": "regex", "query": "[Rr]eturn"}
    first = agent.ask("search_documents", **asked, limit=100)
    pages = [agent.ask("search_documents", **asked, limit=7, offset=start)["hits"] for start in (0, 7, 14)]
    assert [hit for page in pages for hit in page] == first["hits"][:21]
    assert first["documents"] == sum("return" in text or "Return" in text for text in texts)
    narrow = agent.ask("search_documents", **asked, where="n_tokens < 15", limit=100)
    assert 0 < narrow["documents"] < first["documents"] and all(hit["tokens"] < 15 for hit in narrow["hits"])


def test_a_search_by_meaning_ranks_all_documents_by_cosine(agent: Agent, study: Study) -> None:
    sentence = "Parse an XML document into a tree"
    artifact = vectors_of(study)
    assert artifact is not None
    vectors = load_vectors(artifact, study.documents).astype(np.float64)
    wanted = embedder_of(artifact, study.workspace).encode([sentence])[0].astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1)
    cosine = np.divide(vectors @ wanted, norms * np.linalg.norm(wanted), out=np.full(len(norms), -2.0), where=norms > 0)
    found = agent.ask("search_documents", corpus="corpus", kind="meaning", query=sentence, floor=0.4, limit=50)
    assert found["documents"] == np.count_nonzero(cosine >= 0.4) and found["compared"] == "fast"
    similar = [hit["similarity"] for hit in found["hits"]]
    assert similar == sorted(similar, reverse=True)
    assert np.allclose(similar, np.sort(cosine)[::-1][: len(similar)], atol=1e-3)


def test_a_preview_is_what_the_recipe_then_does(agent: Agent, study: Study) -> None:
    before = Recipe(steps=RECIPE.steps[:2])
    found = agent.ask(
        "preview_rule", corpus="corpus", operator="near_dedup", params={"threshold": 0.6}, after=before.to_yaml()
    )
    outcome = study.evaluate(RECIPE)
    rows = outcome.dropped_by(RECIPE.steps[-1].id)
    assert found["dropped_documents"] == len(rows) > 0
    assert found["documents"] - found["dropped_documents"] == outcome.output.documents
    assert found["tokens"] - found["dropped_tokens"] == outcome.output.tokens
    assert sum(each["documents"] for each in found["dropped_by_source"]) == len(rows)
    ids = study.facts.ids.to_pylist()
    assert {hit["id"] for hit in found["dropped"]} <= {ids[row] for row in rows}
    kept_ids = {ids[row] for row in np.flatnonzero(outcome.kept)}
    assert {hit["twin"] for hit in found["dropped"]} <= kept_ids and {hit["twin"] for hit in found["kept"]} == {None}
    assert {hit["id"] for hit in found["kept"]} <= {ids[row] for row in np.flatnonzero(outcome.kept)}
    assert len(found["dropped"]) == min(6, len(rows)) and len(found["kept"]) == 6


def test_a_tried_recipe_and_the_reasons_agree_with_the_outcome(agent: Agent, study: Study) -> None:
    outcome = study.evaluate(RECIPE)
    steps = agent.ask("try_recipe", corpus="corpus", recipe=RECIPE.to_yaml())["steps"]
    assert [(step["documents"], step["tokens"]) for step in steps] == [(c.documents, c.tokens) for c in outcome.counts]
    ids = study.facts.ids.to_pylist()
    ledger = agent.ask("read_ledger", corpus="corpus", recipe=RECIPE.to_yaml(), step="near-dedup", limit=200)
    rows = outcome.dropped_by("near-dedup")
    assert [row["id"] for row in ledger["rows"]] == [ids[row] for row in rows][:200]
    assert ledger["rows_in_all"] == len(rows)
    why = agent.ask("why_dropped", corpus="corpus", document=ids[rows[0]], recipe=RECIPE.to_yaml())
    assert why["row"] == ledger["rows"][0] and why["row"]["twin"] in ids
    assert (
        why["sentence"].startswith("dropped by step near-dedup (near_dedup)") and why["row"]["twin"] in why["sentence"]
    )
    kept = ids[int(np.flatnonzero(outcome.kept)[0])]
    assert agent.ask("why_dropped", corpus="corpus", document=kept, recipe=RECIPE.to_yaml())["sentence"] == "kept"


def test_a_finished_run_tells_why_as_its_recipe_does(
    agent: Agent, home: Workspace, study: Study, tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE.to_yaml())
    tamis("run", str(tmp_path / "recipe.yaml"), study.corpus.path, "-o", str(home.runs / "first"), home=home.root)
    by_recipe = agent.ask("read_ledger", corpus="corpus", recipe=RECIPE.to_yaml(), limit=200)
    assert agent.ask("read_ledger", corpus="corpus", run="first", limit=200) == by_recipe
    row = by_recipe["rows"][0]
    assert agent.ask("why_dropped", corpus="corpus", document=row["id"], run="first")["row"] == row
    assert "allowed: first" in agent.refused("read_ledger", corpus="corpus", run="second")
    write_corpus(tmp_path / "other", docstrings(("json",)))
    foreign = ("-o", str(home.runs / "foreign"))
    tamis("run", str(tmp_path / "recipe.yaml"), str(tmp_path / "other"), *foreign, home=home.root)
    assert "no such run of this corpus" in agent.refused("read_ledger", corpus="corpus", run="foreign")
    assert "Name one of them" in agent.refused("read_ledger", corpus="corpus", run="first", recipe=RECIPE.to_yaml())


def leaves(agent: Agent) -> str:
    """Return everything that all tools answer."""

    async def ask() -> list[str]:
        async with Client(agent.server) as client:
            asked = [
                (
                    tool,
                    given
                    if tool in ("list_corpora", "list_rules", "list_proposals")
                    else {"corpus": "corpus", **given},
                )
                for tool, given in EVERY_CALL
            ]
            return [said(await client.call_tool(tool, given)) for tool, given in asked]

    return "\n".join(anyio.run(ask))


def test_no_text_leaves_unless_the_owner_allows_it(
    agent: Agent, home: Workspace, study: Study, texts: list[str]
) -> None:
    closed, open_ = leaves(agent), leaves(Agent(agent_server(home, texts=True)))
    pieces = {" ".join(text.split())[:40] for text in texts if len(text) > 60}
    paths = set(study.facts.array("meta_path").to_pylist())
    quoted = [json.dumps(piece)[1:-1] for piece in pieces]
    assert len(pieces) > 500 and len(paths) > 100
    assert not [piece for piece in quoted if piece in closed] and not [path for path in paths if path in closed]
    assert [piece for piece in quoted if piece in open_] and [path for path in paths if path in open_]


def test_a_text_is_read_only_where_texts_may_leave(home: Workspace, study: Study, texts: list[str]) -> None:
    name = study.facts.ids[0].as_py()
    found = Agent(agent_server(home, texts=True)).ask("read_text", corpus="corpus", document=name)
    assert found == {"id": name, "text": texts[0], "characters": len(texts[0])}
    with pytest.raises(AccessError, match="--allow-texts"):
        questions.read_text(study, name, Disclosure())


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("count_documents", {"condition": "n_tokns > 3"}, "No column n_tokns; did you mean n_tokens"),
        ("count_documents", {"condition": "n_tokens > 3; DROP TABLE x"}, "allowed"),
        ("describe_column", {"column": "n_wrods"}, "did you mean n_words"),
        ("search_documents", {"kind": "regex", "query": "("}, "missing )"),
        ("search_documents", {"kind": "words", "query": " "}, "Say which words to look for"),
        ("preview_rule", {"operator": "exact_dedop", "params": {}}, "did you mean exact_dedup"),
        ("try_recipe", {"recipe": "steps: 3"}, "steps must be a list"),
        ("try_recipe", {"proposal": "none"}, "There is no such proposal"),
        ("why_dropped", {"document": "nobody", "recipe": RECIPE.to_yaml()}, "There is no such document"),
        ("read_ledger", {"run": "../.."}, "is not allowed"),
    ],
)
def test_a_mistake_is_answered_with_the_same_sentence_as_on_the_command_line(
    agent: Agent, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    refused = agent.refused(tool, corpus="corpus", **arguments)
    assert sentence in refused and "Error executing tool" not in refused and "Traceback" not in refused


def test_an_argument_that_a_tool_does_not_have_is_refused(agent: Agent) -> None:
    refused = agent.refused("search_documents", corpus="corpus", kind="words", query="parse", wher="n_tokens > 5")
    assert "wher" in refused and "not permitted" in refused


def test_what_the_database_says_quotes_no_value_of_the_corpus(agent: Agent, home: Workspace, study: Study) -> None:
    condition = "meta_path + 1 > 2"
    refused = agent.refused("count_documents", corpus="corpus", condition=condition)
    assert "cannot be evaluated" in refused
    assert not [path for path in study.facts.array("meta_path").to_pylist() if path in refused]
    with pytest.raises(TamisError) as full:
        questions.count(study, condition)
    assert Agent(agent_server(home, texts=True)).refused(
        "count_documents", corpus="corpus", condition=condition
    ) == str(full.value)


def test_an_agent_starts_no_long_measurement(home: Workspace, study: Study) -> None:
    pattern = "never measured before"
    with pytest.raises(JobError, match="starts no long work"):
        questions.search(study, "regex", pattern, Disclosure(), seconds=0)
    sentence = Agent(agent_server(home, seconds=0)).refused(
        "search_documents", corpus="corpus", kind="regex", query=pattern
    )
    assert "--seconds" in sentence
    rule = questions.rule_of("regex", {"pattern": pattern})
    assert [step.done for step in study.pending(Recipe(), [rule])] == [False]


def test_only_named_corpora_answer(home: Workspace) -> None:
    with pytest.raises(TamisError, match="No corpus of this name"):
        agent_server(home, corpora=("other",))
    home.remember(CorpusEntry("second", home.corpus("corpus").path))
    only = Agent(agent_server(home, corpora=("corpus",)))
    assert [each["name"] for each in only.ask("list_corpora")["result"]] == ["corpus"]
    assert "There is no corpus of this name for agents" in only.refused("describe_corpus", corpus="second")
    home.forget("second")


def test_a_proposal_of_an_agent_waits_for_a_person(home: Workspace) -> None:
    agent = Agent(agent_server(home, person="Ada"))
    asked = {"name": "shorter", "recipe": RECIPE.to_yaml(), "reasons": "A tenth are fragments; repeats teach nothing."}
    assert "Say why" in agent.refused("propose_recipe", **{**asked, "reasons": " "})
    found = agent.ask("propose_recipe", **asked)
    assert (found["version"], found["state"], found["digest"]) == (1, "proposed", RECIPE.digest)
    [stored] = proposals_of(ReviewStore.of(home.root).events(""))
    assert stored.newest.recipe() == RECIPE and stored.newest.approval is None
    assert (stored.newest.who, stored.newest.message) == ("Ada", asked["reasons"])
    assert "already the newest version" in agent.refused("propose_recipe", **asked)
    [listed] = agent.ask("list_proposals")["result"]
    assert (listed["name"], listed["state"], listed["recipe"]) == ("shorter", "proposed", RECIPE.to_yaml())
    assert agent.ask("try_recipe", corpus="corpus", proposal="shorter")["digest"] == RECIPE.digest


def test_a_viewer_cannot_let_agents_propose(home: Workspace) -> None:
    change_people(home.root, "Eve", "viewer")
    agent = Agent(agent_server(home, person="Eve"))
    refused = agent.refused("propose_recipe", name="mine", recipe=RECIPE.to_yaml(), reasons="because")
    assert "may not propose recipes" in refused
    done = tamis("mcp", "--allow-proposals", "--by", "Eve", home=home.root, check=False)
    assert done.returncode == 2 and "may not propose recipes" in done.stderr
    done = tamis("mcp", "--allow-proposals", home=home.root, check=False)
    assert done.returncode == 2 and "--by" in done.stderr


def test_a_corpus_that_was_not_analysed_says_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    write_corpus(tmp_path / "raw", docstrings(("json",)))
    workspace.remember(CorpusEntry("raw", str(tmp_path / "raw")))
    sentence = Agent(agent_server(workspace)).refused("describe_corpus", corpus="raw")
    assert "The analysis of this corpus is not complete" in sentence and "tamis analyze" in sentence


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_command_serves_new_and_old_clients_over_standard_input(home: Workspace, study: Study, mode: str) -> None:
    agent = Agent(command(home.root, "corpus"), mode)

    async def ask() -> tuple[set[str], Any, Any]:
        async with Client(agent.server, mode=mode) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            counted = await client.call_tool("count_documents", {"corpus": "corpus", "condition": "n_tokens > 20"})
            wrong = await client.call_tool("count_documents", {"corpus": "corpus", "condition": "n_tokns > 20"})
            return tools, counted, wrong

    tools, counted, wrong = anyio.run(ask)
    assert "read_text" not in tools and "propose_recipe" not in tools
    assert counted.structured_content["documents"] == int((study.facts.whole("n_tokens") > 20).sum())
    with pytest.raises(RecipeError) as refused:
        questions.count(study, "n_tokns > 20")
    assert wrong.is_error and said(wrong) == str(refused.value)


def test_without_the_package_the_command_says_what_to_install(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tamis.app.agents.server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    done = tamis("mcp", home=home.root, check=False)
    assert done.returncode == 2 and "pip install 'tamis[mcp]'" in done.stderr


def test_the_page_on_agents_lists_every_tool(home: Workspace) -> None:
    page = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert set(listed) == set(Agent(agent_server(home, texts=True, person="Ada")).tools())
