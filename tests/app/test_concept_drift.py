"""What new files are to the concepts that people taught is said by name: by `tamis drift` and on Overview."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_line import tamis
from streamlit.testing.v1 import AppTest
from topics import topic_texts

from tamis.analytics.effect.label_classifier import Examples
from tamis.analytics.effect.taught_concept import ConceptScores, ScoreDrift
from tamis.analytics.study.study import Study
from tamis.app.jobs.teach import start_teaching, taught_concepts
from tamis.data.corpus_states import CorpusStates, file_contents, new_documents
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

COUNT = 40
KITCHEN, SEA, MUSIC, GARDEN = (topic_texts(COUNT)[0][k * COUNT : (k + 1) * COUNT] for k in range(4))
OPTIONS = ("--signals", "1", "--no-near")


@pytest.fixture(scope="module")
def taught(models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, ScoreDrift]]:
    """Return a folder with a corpus that grew by texts of sea and music, and the drift of two concepts taught on it."""
    folder = tmp_path_factory.mktemp("taught")
    home, path = folder / "home", folder / "corpus"
    path.mkdir()
    for name, texts in (("old", KITCHEN + GARDEN), ("new", SEA + MUSIC)):
        (path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    tamis("analyze", str(path), "--name", "corpus", "--tier", "fast", home=home)
    workspace = Workspace(home)
    corpus, before = open_corpus(path, probes=workspace.probes), open_corpus(path / "old.jsonl")
    study = Study.open(corpus, workspace)
    for name, texts in (("kitchen", KITCHEN), ("music", MUSIC)):
        like, unlike = Examples(texts=tuple(texts[:12])), Examples(texts=(*GARDEN[:12], *SEA[:12]))
        job = start_teaching(study, like, unlike, name=name)
        assert job.wait(seconds=300).state == "done"
    states = CorpusStates.of(workspace.root, corpus)
    states.note(before)
    states.note(corpus)
    new = new_documents(corpus, study.documents, file_contents(before))
    concepts = taught_concepts(workspace, corpus)
    found = {name: ConceptScores.of(study, concept.rule(), new=new).drift for name, concept in concepts.items()}
    return folder, {name: drift for name, drift in found.items() if drift is not None}


def test_a_topic_that_only_new_files_have_scores_higher_there_and_one_they_lack_lower(
    taught: tuple[Path, dict[str, ScoreDrift]],
) -> None:
    _, drift = taught
    assert set(drift) == {"kitchen", "music"}
    assert drift["music"].higher > 0.6 and drift["kitchen"].higher < 0.4
    assert all(each.drifts and (each.old, each.new) == (2 * COUNT, 2 * COUNT) for each in drift.values())


def test_the_command_names_every_concept_with_both_medians_and_says_what_to_do(
    taught: tuple[Path, dict[str, ScoreDrift]],
) -> None:
    folder, drift = taught
    corpus = folder / "corpus"
    said = tamis("drift", str(corpus / "old.jsonl"), str(corpus), *OPTIONS, home=folder / "home").stdout
    lines = said[said.index("taught concepts:") :].splitlines()[1:]
    assert {line.split()[0] for line in lines} == set(drift)
    for line in lines:
        name, before, after, higher, advice = re.split(r"\s+", line, maxsplit=4)
        assert (before, after) == (f"{drift[name].old_median:.2f}", f"{drift[name].new_median:.2f}")
        assert higher == f"{drift[name].higher:.1%}" and advice.startswith("drifts: label some of the new documents")


def _concepts(root):  # type: ignore[no-untyped-def]
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.app.dashboard import cache
    from tamis.app.dashboard.page_context import Stage
    from tamis.app.pages import drift_card
    from tamis.data.workspace import Workspace

    workspace = Workspace(root)
    key = cache.key_of(workspace, "corpus")
    drift_card._concepts(Stage(workspace, cache.SceneKey(key, (), Recipe()), cache.open_analysed(key)))


def test_the_card_names_every_concept_with_the_same_figures(taught: tuple[Path, dict[str, ScoreDrift]]) -> None:
    folder, drift = taught
    page = AppTest.from_function(_concepts, kwargs={"root": folder / "home"}, default_timeout=120).run()
    assert not page.exception
    [table] = page.dataframe
    rows = {row["concept"]: row for row in table.value.to_dict("records")}
    assert set(rows) == set(drift)
    for name, found in drift.items():
        assert rows[name] == {
            "concept": name,
            "median of old": f"{found.old_median:.2f}",
            "median of new": f"{found.new_median:.2f}",
            "new scores higher": found.higher,
            "drift": "label new ones and teach again",
        }
