"""Cards of the Overview: what the audit of conversations and preference pairs found."""

from __future__ import annotations

from html import escape

import streamlit as st

from tamis.analytics.study.audit_places import MARKED
from tamis.analytics.study.queries import AuditFinding, LengthBias, audit_findings, length_bias
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count, heading, share
from tamis.app.dashboard.page_context import Stage
from tamis.app.pages import navigation

HIGH, MEDIUM = 0.1, 0.01
"""Shares of documents from which a fault is marked."""


def show(here: Stage) -> None:
    """Show a card for each fault that was found, the others in one line, and the length bias of pairs."""
    findings = here.ask(audit_findings)
    if not findings:
        return
    heading("Audit", "exact, over all documents")
    found = sorted((each for each in findings if each.documents), key=lambda each: (-each.documents, each.name))
    with st.container(gap="xsmall"):
        for finding in found:
            _card(here, finding)
    nothing = [each for each in findings if not each.documents and each.missing < here.facts.n]
    if nothing:
        st.caption(f"Nothing found: {', '.join(each.title.lower() for each in nothing)}.")
    silent = [each for each in findings if each.missing == here.facts.n]
    if silent:
        st.caption(f"Not applicable here: {', '.join(each.title.lower() for each in silent)}.")
    bias = here.ask(length_bias)
    if bias is not None:
        _bias(bias)


def _card(here: Stage, finding: AuditFinding) -> None:
    part = finding.documents / max(here.facts.n, 1)
    level = "high" if part >= HIGH else "medium" if part >= MEDIUM else "low"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(
            f'<div class="tamis-issue {level}" title="{escape(finding.help)}"><i style="width:{100 * part:.2f}%"></i>'
            f'<b>{share(finding.documents, here.facts.n)}</b><span class="what">{escape(finding.title)}</span>'
            f'<span class="n">{count(finding.documents)}</span></div>',
            width="stretch",
        )
        if st.button("Open", key=session.widget("audit", finding.name), help=f"Show them. {finding.help}"):
            if not adopt(selection=(finding.rule,)):
                st.rerun()
            session.choose(which="selected", offset=None, marks=finding.name if finding.name in MARKED else None)
            navigation.go_to("documents")


def _bias(bias: LengthBias) -> None:
    """Show how often the chosen answer is the longer one, in all and by difference of length."""
    heading("Length bias of the pairs", "exact; 95% Wilson intervals")
    if not bias.longer.of:
        st.caption(f"All {count(bias.ties)} pairs have answers of equal length.")
        return
    all_ = bias.longer
    said = "longer answers are preferred" if all_.low > 0.5 else "shorter answers are preferred"
    verdict = said if bias.biased else "no bias beyond chance"
    ties = f", {count(bias.ties)} of equal length aside" if bias.ties else ""
    rows = "".join(
        f"<span>{count(tenth.low)}–{count(tenth.high)}</span>"
        f'<i><u style="width:{100 * tenth.longer.share:.2f}%"></u></i>'
        f"<span>{share(tenth.longer.hits, tenth.longer.of)} of {count(tenth.longer.of)}</span>"
        for tenth in bias.tenths
    )
    st.html(
        f'<div class="tamis-card"><b>The chosen answer is the longer one in {share(all_.hits, all_.of)}</b> of '
        f"{count(all_.of)} pairs ({100 * all_.low:.1f} to {100 * all_.high:.1f}%){ties}: {verdict}."
        f'<div class="tamis-tenths" title="Pairs by difference of length in characters; the line is one half">{rows}'
        f"</div></div>"
    )
