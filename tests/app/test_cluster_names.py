"""Names people give to clusters live in the workspace, and are taken back by an empty one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tamis.analytics.study.concept_profiles import ConceptProfiles
from tamis.app.figures.clusters import complexity_figure, fineness_figure
from tamis.data.cluster_names import name_cluster, read_people_names
from tamis.data.errors import SettingError

ONE, OTHER = "a" * 64, "b" * 64


def test_a_name_belongs_to_one_clustering_and_an_empty_one_takes_it_back(tmp_path: Path) -> None:
    assert read_people_names(tmp_path, ONE) == {}
    name_cluster(tmp_path, ONE, 3, " Tax law ")
    name_cluster(tmp_path, ONE, -1, "Sonst 王")
    name_cluster(tmp_path, OTHER, 3, "Sport")
    assert read_people_names(tmp_path, ONE) == {3: "Tax law", -1: "Sonst 王"} and read_people_names(
        tmp_path, OTHER
    ) == {3: "Sport"}
    name_cluster(tmp_path, ONE, 3, "")
    assert read_people_names(tmp_path, ONE) == {-1: "Sonst 王"}


@pytest.mark.parametrize("name", ["x" * 81, "two\nlines", "nul\0"])
def test_names_that_cannot_be_shown_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match="Name of a cluster"):
        name_cluster(tmp_path, ONE, 1, name)
    assert read_people_names(tmp_path, ONE) == {}


def test_a_clustering_that_is_no_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError):
        name_cluster(tmp_path, "../x", 1, "name")


def test_figures_show_every_setting_and_every_measured_concept() -> None:
    sweep = [
        {"min_cluster_size": 10 * k, "clusters": 50 // k, "unclustered": 0.1 * k, "largest": 0.2} for k in (1, 2, 4)
    ]
    figure = fineness_figure(sweep, chosen=20)
    assert list(figure.data[0].y) == [50, 25, 12] and figure.layout.shapes[0].x0 == 20
    table = pa.table(
        {"name": ["a", "<b>", "c"], "size": [10, 20, 30], "measured": pa.array([0.1, np.nan, 0.3], from_pandas=True)}
    )
    shown = complexity_figure(ConceptProfiles(table), "measured").data[0]
    assert list(shown.x) == [10, 30] and list(shown.customdata) == ["a", "c"]
