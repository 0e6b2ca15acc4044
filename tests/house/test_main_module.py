"""A test that shows a page in its own process leaves nothing that the tests after it stumble over."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from main_module import keep_main
from streamlit.testing.v1 import AppTest


def page() -> None:
    """Show something."""
    import streamlit as st

    st.text("something")


def test_processes_can_be_spawned_after_a_page_ran_in_this_one(request: pytest.FixtureRequest) -> None:
    main = sys.modules["__main__"]
    with keep_main():
        assert [item.value for item in AppTest.from_function(page).run().text] == ["something"]
        assert sys.modules["__main__"] is not main
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(abs, -3).result() == 3
    assert "main_module" in request.fixturenames
