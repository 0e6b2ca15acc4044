"""The generic form shows every operator: what nobody touched comes back as it was; a form that fails falls alone."""

from __future__ import annotations

import pytest
from operator_examples import EXAMPLES
from streamlit.testing.v1 import AppTest

from tamis.analytics.operators.operator import OPERATORS

CASES = [(name, place) for name in sorted(kind.name for kind in OPERATORS) for place in range(len(EXAMPLES[name]))]


def script(name: str, params: dict[str, object]) -> None:
    """Show one form; what it gives is kept."""
    from types import SimpleNamespace

    import streamlit as st
    from synthetic import synthetic_facts

    from tamis.analytics.operators.operator import OPERATORS
    from tamis.app.dashboard import forms
    from tamis.data.shapes import Shape

    facts = synthetic_facts(50, seed=1)
    corpus = SimpleNamespace(shape=Shape("conversation", {"messages": "messages"}))
    known = forms.Known(facts, SimpleNamespace(cluster_names=dict, study=SimpleNamespace(corpus=corpus)))
    kind = OPERATORS[name]
    values = kind.model_validate(params).model_dump(mode="json") if params else {}
    st.session_state["filled"] = dict(forms.operator_form(kind, values, known=known, scope="step").values)


def shown(name: str, params: dict[str, object]) -> AppTest:
    """Return the form of an operator after one run."""
    return AppTest.from_function(script, kwargs={"name": name, "params": params}, default_timeout=60).run()


@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_form_that_nobody_touched_returns_the_operator_it_shows(name: str, place: int) -> None:
    params = dict(EXAMPLES[name][place])
    app = shown(name, params)
    assert not app.exception
    # A form without values is that of a new rule.
    wanted = OPERATORS.build(name, params) if params else OPERATORS.fresh(name, {})
    assert OPERATORS.build(name, app.session_state["filled"]) == wanted


@pytest.mark.parametrize("name", sorted(kind.name for kind in OPERATORS))
def test_the_empty_form_of_every_operator_can_be_shown(name: str) -> None:
    assert not shown(name, {}).exception


@pytest.mark.parametrize("values", [["Smith, John", " two  spaces ", "a\nb", "1"], [f"{k:03}" for k in range(300)]])
def test_a_value_of_a_list_may_hold_commas_and_white_space(values: list[str]) -> None:
    params = {"column": "source", "values": values}
    filled = shown("category", params).session_state["filled"]
    assert OPERATORS.build("category", filled) == OPERATORS.build("category", params)


def test_a_part_is_chosen_from_those_that_the_documents_have() -> None:
    field = next(box for box in shown("near_dedup", {}).selectbox if box.label == "Of")
    assert {"(the whole text)", "response", "first user"} <= set(field.options)
    assert not {"chosen", "rejected"} & set(field.options)
    kept = next(box for box in shown("near_dedup", {"of": "chosen"}).selectbox if box.label == "Of")
    assert kept.value == "chosen"


def test_a_column_that_the_corpus_lacks_stays_what_it_is() -> None:
    app = shown("signal_range", {"signal": "spacy_n_words", "min": 3})
    assert app.session_state["filled"]["signal"] == "spacy_n_words"
    assert "not in this corpus" in str(app.selectbox(key="form/step/signal").options)


def unescaped(text: str) -> str:
    """Return what a text shows once Markdown is read."""
    return text.replace("\\", "")


def build_script(name: str, params: dict[str, object], wanted: bool) -> None:
    """Show one form and build its operator."""
    from types import SimpleNamespace

    import streamlit as st
    from synthetic import synthetic_facts

    from tamis.analytics.operators.operator import OPERATORS
    from tamis.app.dashboard import forms
    from tamis.data.shapes import Shape

    corpus = SimpleNamespace(shape=Shape("text"))
    known = forms.Known(
        synthetic_facts(50, seed=1), SimpleNamespace(cluster_names=dict, study=SimpleNamespace(corpus=corpus))
    )
    form = forms.operator_form(OPERATORS[name], params, known=known, scope="step")
    st.session_state["built"] = form.build(wanted=wanted) is not None


def built(name: str, params: dict[str, object], *, wanted: bool) -> AppTest:
    kwargs = {"name": name, "params": params, "wanted": wanted}
    return AppTest.from_function(build_script, kwargs=kwargs, default_timeout=60).run()


def test_what_is_wrong_stands_under_its_field_and_the_input_stays() -> None:
    app = built("near_dedup", {"threshold": 3.0, "n": 5}, wanted=False)
    assert not app.session_state["built"]
    assert [unescaped(item.value) for item in app.error] == ["Input should be less than or equal to 1"]
    assert app.number_input(key="form/step/threshold").value == 3.0


def test_what_is_not_filled_in_yet_is_red_only_when_people_want_the_rule() -> None:
    quiet = built("signal_range", {}, wanted=False)
    assert not quiet.error and "give min, max or both" in quiet.caption[-1].value
    asked = built("signal_range", {}, wanted=True)
    assert [item.value for item in asked.error] == ["give min, max or both"]
    missing = built("category", {}, wanted=True)
    assert "at least 1" in unescaped(missing.error[0].value)


def test_a_wrong_pattern_is_told_under_the_pattern() -> None:
    app = built("regex", {"pattern": "(open"}, wanted=False)
    assert not app.session_state["built"] and len(app.error) == 1
    assert app.text_input(key="form/step/pattern").value == "(open"


def guarded_script() -> None:
    """Show a form that fails between two that do not."""
    import streamlit as st

    from tamis.app.dashboard import forms

    for name in ("first", "second", "third"):
        with forms.guard_form(name), st.form(name):
            st.text_input(name)
            if name == "second":
                raise ZeroDivisionError
            st.form_submit_button("Apply")
    st.text("the rest of the page")


def test_a_form_that_fails_says_so_and_nothing_else_falls(caplog: pytest.LogCaptureFixture) -> None:
    app = AppTest.from_function(guarded_script).run()
    assert not app.exception
    assert [item.label for item in app.text_input] == ["first", "third"]
    assert "This step cannot be edited here: its form failed (ZeroDivisionError)." in unescaped(app.error[0].value)
    assert len(app.error) == 1 and [item.value for item in app.text] == ["the rest of the page"]
    assert "The form of second failed: ZeroDivisionError" in caplog.text
