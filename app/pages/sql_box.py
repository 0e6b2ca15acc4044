"""The SQL box of the Documents page: off unless the server switches it on, for owners, in a sandbox process."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.facts.sql_sandbox import EXAMPLE, SWITCH, SqlAnswer, SqlLimits, ask_sql, is_sql_enabled
from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.app.dashboard import login
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, brief
from tamis.data.errors import TamisError


def show(here: Stage) -> None:
    """Lay out the box if the server and the role allow it."""
    if not is_sql_enabled() or not login.may("owner"):
        return
    limits = SqlLimits()
    with st.expander("SQL over the facts", icon=":material/database:"):
        st.caption(
            f"One SELECT over the table facts, in a process that reaches no file and no network and is stopped after "
            f"{limits.seconds} s. On because {SWITCH}=1."
        )
        with st.form("documents/sql", border=False):
            sql = st.text_area("Statement", height=110, placeholder=EXAMPLE)
            asked = st.form_submit_button("Run")
        if not asked or not sql.strip():
            return
        login.demand("owner", to="run SQL")
        try:
            found = ask_sql(here.facts, sql, limits=limits)
        except TamisError as error:
            st.text(brief(error))
            return
        _answer(here, found)


def _answer(here: Stage, found: SqlAnswer) -> None:
    st.dataframe(found.table, hide_index=True, row_height=28)
    rows = count(found.table.num_rows)
    st.caption(f"The first {rows} rows; there are more." if found.cut else f"{rows} rows, all there are.")
    if "id" in found.table.column_names and not found.cut and found.table.num_rows:
        ids = [str(value) for value in found.table.column("id").to_pylist() if value is not None]
        rule = OPERATORS.build("id_list", {"stored": here.workspace.put_ids(ids)})
        assert isinstance(rule, RowOperator)
        st.button("Select these documents", key="documents/sql/select", on_click=_select, args=(rule,))


def _select(rule: RowOperator) -> None:
    adopt(selection=[rule])
