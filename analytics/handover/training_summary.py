"""The public summary of training content of the EU's AI Act, filled as far as a corpus and a recipe know the answers.

Every field of the template is there. What data cannot say (who the provider is, which agreements it has, whether it ran
crawlers) is named as missing, never guessed; a list of what is missing closes the document.

Source: Regulation (EU) 2024/1689, Article 53(1)(d); Commission communication C(2025) 8311, explanatory notice and
template for the public summary of training content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tamis.analytics.effect.dataset_card import plain, table
from tamis.analytics.handover.figures import NO_VALUE, DataMakeup
from tamis.analytics.handover.tables import licence_table, percent, shortened, source_table

MISSING = "**MISSING**"
_RANGES = (
    (10**9, "less than 1 billion tokens"),
    (10**13, "1 billion to 10 trillion tokens"),
)
_MOST_LANGUAGES, _MOST_DOMAINS = 30, 1000
_TOP_DOMAINS = 0.1
"""ValueShare of the crawled domains, by size, that the template asks to be named."""


@dataclass(frozen=True)
class SummaryInput:
    """What is known about prepared data.

    Attributes:
        title: of the recipe.
        composition: what the data is made of.
        tokenizer: that counted tokens, None where the data is text.
        steps: what the recipe did, one sentence per step.
        personal: those of them that remove or mask personal data.
        fingerprint: of the corpus.
        content: digest of the data.
    """

    title: str
    composition: DataMakeup
    tokenizer: str | None
    steps: Sequence[str]
    personal: Sequence[str]
    fingerprint: str
    content: str


@dataclass
class _Document:
    lines: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def head(self, level: int, text: str) -> None:
        self._blank()
        self.lines += [f"{'#' * level} {text}", ""]

    def given(self, name: str, value: str) -> None:
        self.lines += [f"- {name}: {value}"]

    def lacking(self, number: str, name: str, hint: str = "") -> None:
        self.missing.append(f"{number} {name}")
        self.lines += [f"- {name}: {MISSING}{f' ({hint})' if hint else ''}"]

    def block(self, text: str) -> None:
        self._blank()
        self.lines += [text.rstrip("\n"), ""]

    def _blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")


def training_summary(known: SummaryInput) -> str:
    """Return the summary as Markdown; the same input gives the same text."""
    document = _Document()
    document.lines += [
        "# Public summary of training content",
        "",
        "After the template of the European Commission for Article 53(1)(d) of Regulation (EU) 2024/1689. Figures are"
        " exact counts of this data; fields that data cannot answer are marked and listed at the end. A model trained"
        " on more than this data needs one summary of all of it.",
        "",
    ]
    document.lacking("Head:", "Version of the summary")
    document.lacking("Head:", "Last update")
    _general(document, known)
    _sources(document, known)
    _processing(document, known)
    document.head(2, f"What is missing ({len(document.missing)} fields)")
    document.lines += [f"- {name}" for name in document.missing]
    return "\n".join(document.lines).strip() + "\n"


def _general(document: _Document, known: SummaryInput) -> None:
    document.head(2, "1. General information")
    document.head(3, "1.1. Provider identification")
    document.lacking("1.1", "Provider name and contact details")
    document.lacking("1.1", "Authorised representative name and contact details")
    document.head(3, "1.2. Model identification")
    for name in ("Versioned model name(s)", "Model dependencies", "Date of placement of the model on the Union market"):
        document.lacking("1.2", name)
    document.head(3, "1.3. Modalities, overall training data size and other characteristics")
    composition = known.composition
    document.given("Modality", "text")
    document.given("Training data size", _size(known))
    document.given(
        "Distinct documents",
        f"{composition.documents:,}, which come {composition.times:,} times over copies, epochs and splits",
    )
    document.lacking("1.3", "Types of content", "such as fiction, press, scientific text, source code")
    document.lacking("1.3", "Latest date of data acquisition or collection")
    _languages(document, composition)
    document.given("Other relevant characteristics", f"recipe “{plain(known.title)}”, corpus `{known.fingerprint}`")


def _size(known: SummaryInput) -> str:
    composition = known.composition
    if known.tokenizer is None:
        return f"{composition.bytes:,} bytes of text (not tokenized)"
    name = next((name for limit, name in _RANGES if composition.tokens < limit), "more than 10 trillion tokens")
    return f"{name}: {composition.tokens:,} tokens by {plain(known.tokenizer)}, {composition.bytes:,} bytes of text"


def _languages(document: _Document, composition: DataMakeup) -> None:
    if composition.languages is None:
        document.lacking("1.3", "Linguistic characteristics", "languages were not detected")
        return
    named = [share for share in composition.languages if share.value != NO_VALUE]
    document.given("Linguistic characteristics", f"languages detected, by bytes of text: {len(named):,}")
    rows: list[tuple[object, ...]] = [
        (share.value, share.documents, share.bytes, percent(share.bytes, composition.bytes))
        for share in shortened(composition.languages, _MOST_LANGUAGES)
    ]
    document.block(table(("language", "documents", "bytes", "share of bytes"), rows))


def _sources(document: _Document, known: SummaryInput) -> None:
    composition = known.composition
    document.head(2, "2. List of data sources")
    if composition.sources is None:
        document.lacking("2", "Names of the sources", "the corpus has no column of sources")
    else:
        document.lines += [
            f"The corpus names {len(composition.sources):,} sources. Which of the sections 2.1 to 2.6 each belongs to"
            " is not in the data and has to be said by the provider.",
        ]
    document.block(source_table(composition))
    if composition.licences is not None:
        document.block(licence_table(composition))
    if composition.licence_column is None:
        document.lacking("2", "Licences of the sources", "the corpus has no column of licences")
    document.head(3, "2.1. Publicly available datasets")
    for name in ("Used or not", "List of large publicly available datasets", "Description of the others"):
        document.lacking("2.1", name)
    document.head(3, "2.2. Private non-publicly available datasets obtained from third parties")
    document.head(4, "2.2.1. Datasets commercially licensed by rightsholders or their representatives")
    document.lacking("2.2.1", "Agreements concluded or not, and modalities covered")
    document.head(4, "2.2.2. Private datasets obtained from other third parties")
    document.lacking("2.2.2", "Used or not, list of those publicly known, description of the others")
    document.head(3, "2.3. Data crawled and scraped from online sources")
    for name in ("Crawlers used or not", "Crawler names", "Purposes", "Behaviour", "Period of data collection"):
        document.lacking("2.3", name)
    _domains(document, composition)
    document.head(3, "2.4. User data")
    document.lacking("2.4", "Data from user interactions with the model used or not")
    document.lacking("2.4", "Data from the provider's other services used or not, and which")
    document.head(3, "2.5. Synthetic data")
    document.lacking("2.5", "Synthetic data created by or for the provider or not, and by which models")
    document.head(3, "2.6. Other sources of data")
    document.lacking("2.6", "Used or not, and description")


def _domains(document: _Document, composition: DataMakeup) -> None:
    if composition.domains is None:
        document.lacking("2.3", "Most relevant domain names", "the corpus has no column domain, host or site")
        return
    named = [share for share in composition.domains if share.value != NO_VALUE]
    top = named[: min(max(1, round(_TOP_DOMAINS * len(named))), _MOST_DOMAINS)]
    document.given(
        "Most relevant domain names",
        f"the {len(top):,} largest of {len(named):,} that the corpus names, by bytes of text, crawled or not",
    )
    rows: list[tuple[object, ...]] = [
        (share.value, share.documents, share.bytes, percent(share.bytes, composition.bytes)) for share in top
    ]
    document.block(table(("domain", "documents", "bytes", "share of bytes"), rows))


def _processing(document: _Document, known: SummaryInput) -> None:
    document.head(2, "3. Data processing aspects")
    document.head(3, "3.1. Respect of reservation of rights from text and data mining exception or limitation")
    document.lacking("3.1", "Signatory to the Code of Practice or not")
    document.lacking("3.1", "Measures before and during data collection, opt-out protocols honoured")
    document.head(3, "3.2. Removal of illegal content")
    document.lacking("3.2", "Description of the measures taken", "which of the steps below serve this")
    document.head(3, "3.3. Other information")
    document.given("Steps of curation", f"{len(known.steps):,}, in this order")
    document.lines += [f"  {number}. {plain(text)}" for number, text in enumerate(known.steps, start=1)]
    personal = "; ".join(plain(text) for text in known.personal) or "no step of the recipe"
    document.given("Removal or masking of personal data", personal)
    document.given("Digest of the data", f"`{known.content}`")
