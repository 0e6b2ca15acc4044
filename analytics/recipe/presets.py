"""Published rule sets as data: each expands into ordinary steps that can be edited one by one.

A rule keeps the documents whose signal lies within its bounds; the bounds are inclusive, as the references drop
documents strictly beyond them. The rules have the order of the reference, so the first rule that drops a document is
the reason the reference gives. A document to which a signal does not apply (NULL) passes that rule.

D4 as a recipe: drop near-duplicates, semantic duplicates, then the prototypical members of every concept.

Source: Tirumala et al. 2023, "D4: improving LLM pretraining via document de-duplication and diversification", arXiv
2308.12284. Freeze concepts on what the first two steps leave, since duplicates distort k-means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Provenance, Recipe, Step
from tamis.analytics.text.conventions import convention
from tamis.data.errors import RecipeError


@dataclass(frozen=True)
class Rule:
    """One rule of a rule set.

    Attributes:
        reason: its name in the reference implementation.
        signal: the column it reads; of the word convention when ``by_words``.
        min, max: inclusive bounds, None where open.
        by_words: the signal counts words, so its name depends on the word convention.
        languages: detected languages that pass, with ``min`` as least confidence; such a rule has no signal.
        flag: the signal is true or false, and the rule drops the documents where it is true.
    """

    reason: str
    signal: str = ""
    min: float | None = None
    max: float | None = None
    by_words: bool = False
    languages: tuple[str, ...] = ()
    flag: bool = False

    def operator(self, words: str) -> tuple[str, dict[str, Any]]:
        """Return the operator's name and parameters for a word convention."""
        if self.languages:
            return "language", {"languages": self.languages, "min_confidence": self.min}
        if self.flag:
            return "sql_predicate", {"predicate": self.signal, "mode": "drop"}
        prefix = convention(words).prefix if self.by_words else ""
        return "signal_range", {"signal": prefix + self.signal, "min": self.min, "max": self.max}


@dataclass(frozen=True)
class RuleSet:
    """A published rule set.

    Attributes:
        name: unique, for commands and provenance.
        title: for people.
        source: paper and reference implementation.
        rules: in the order of the reference.
        note: what it omits or does differently.
        version: raised when the rules change.
    """

    name: str
    title: str
    source: str
    rules: tuple[Rule, ...]
    note: str = ""
    version: int = 1

    @property
    def signals(self) -> tuple[str, ...]:
        """Return the signals it reads under the ``unicode`` convention, in order."""
        return tuple(dict.fromkeys(rule.signal for rule in self.rules if rule.signal))

    def reads(self, words: str = "unicode") -> tuple[str, ...]:
        """Return the columns it reads under a word convention, language columns included."""
        names = []
        for rule in self.rules:
            _, params = rule.operator(words)
            names += ["lang", "lang_confidence"] if rule.languages else [params.get("signal", rule.signal)]
        return tuple(dict.fromkeys(names))


def steps(rules: RuleSet, *, words: str = "unicode") -> tuple[Step, ...]:
    """Return a rule set as steps, one per rule, each number with its provenance.

    Args:
        rules: the rule set.
        words: the word convention: ``unicode`` (fast) or ``spacy`` (datatrove's own words).

    Raises:
        SettingError: unknown word convention.
    """
    origin = Provenance(kind="rule set", source=f"{rules.name}@{rules.version}, {words} words: {rules.source}"[:500])
    result = []
    for rule in rules.rules:
        name, params = rule.operator(words)
        numbers = tuple((key, origin) for key in sorted(params) if key in ("min", "max") and params[key] is not None)
        result.append(
            Step(
                id=f"{rules.name}-{rule.reason}".replace("_", "-").lower(),
                operator=OPERATORS.build(name, {key: value for key, value in params.items() if value is not None}),
                note=f"{rules.title}: {rule.reason}",
                provenance=numbers,
            )
        )
    return tuple(result)


def with_rule_set(recipe: Recipe, name: str, *, words: str = "unicode") -> Recipe:
    """Return a recipe with the steps of a rule set at its end.

    Raises:
        RecipeError: unknown rule set; the message lists the known ones.
        SettingError: unknown word convention.

    Example:
        >>> [step.id for step in ta.with_rule_set(ta.Recipe(title="Gopher"), "gopher-quality")][0]
        'gopher-quality-gopher-short-doc'
    """
    for step in steps(rule_set(name), words=words):
        recipe = recipe.with_step(replace(step, id=recipe.fresh_id(step.id)))
    return recipe


def rule_set(name: str) -> RuleSet:
    """Return a rule set by name.

    Raises:
        RecipeError: unknown rule set; the message lists the known ones.
    """
    if name not in RULE_SETS:
        raise RecipeError("Unknown rule set", value=name, allowed=RULE_SETS)
    return RULE_SETS[name]


def _words(reason: str, signal: str, min_: float | None = None, max_: float | None = None) -> Rule:
    return Rule(reason, signal, min_, max_, by_words=True)


GOPHER_QUALITY = RuleSet(
    name="gopher-quality",
    title="Gopher quality",
    source="Rae et al. 2021, arXiv 2112.11446; GopherQualityFilter of datatrove 0.10",
    rules=(
        _words("gopher_short_doc", "n_words", 50),
        _words("gopher_long_doc", "n_words", None, 100_000),
        _words("gopher_below_avg_threshold", "mean_word_length", 3),
        _words("gopher_above_avg_threshold", "mean_word_length", None, 10),
        _words("gopher_too_many_hashes", "hash_word_ratio", None, 0.1),
        _words("gopher_too_many_ellipsis", "ellipsis_word_ratio", None, 0.1),
        Rule("gopher_too_many_bullets", "bullet_line_share", None, 0.9),
        Rule("gopher_too_many_end_ellipsis", "ellipsis_line_share", None, 0.3),
        _words("gopher_below_alpha_threshold", "alpha_word_share", 0.8),
        _words("gopher_enough_stop_words", "stop_words", 2),
    ),
)

GOPHER_REPETITION = RuleSet(
    name="gopher-repetition",
    title="Gopher repetition",
    source="Rae et al. 2021, arXiv 2112.11446, table A1; GopherRepetitionFilter of datatrove 0.10",
    rules=(
        Rule("empty", "n_chars", 1),
        Rule("dup_para_frac", "duplicate_paragraph_share", None, 0.3),
        Rule("dup_para_char_frac", "duplicate_paragraph_char_share", None, 0.2),
        Rule("dup_line_frac", "duplicate_line_share", None, 0.3),
        Rule("dup_line_char_frac", "duplicate_line_char_share", None, 0.2),
        *(_words(f"top_{n}_gram", f"top_{n}gram_share", None, most) for n, most in ((2, 0.2), (3, 0.18), (4, 0.16))),
        *(
            _words(f"duplicated_{n}_n_grams", f"duplicate_{n}gram_share", None, most)
            for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
        ),
    ),
)


def _c4(variant: str, sentences: int) -> tuple[Rule, ...]:
    return (
        Rule("lorem_ipsum", f"{variant}_lorem_ipsum", None, 0),
        Rule("curly_bracket", f"{variant}_curly_bracket", None, 0),
        _words("too_few_sentences", f"{variant}_sentences", sentences),
    )


_CLEANS = "Decides as if the lines were cleaned; add the text operation c4_lines to cut them from the curated text. "

C4 = RuleSet(
    name="c4",
    title="C4",
    source="Raffel et al. 2020, arXiv 1910.10683; C4QualityFilter of datatrove 0.10",
    rules=_c4("c4", 5),
    note=_CLEANS + "Without the list of bad words.",
)

C4_TFDS = RuleSet(
    name="c4-tfds",
    title="C4 as in TensorFlow Datasets",
    source="Raffel et al. 2020, arXiv 1910.10683; c4_utils of TensorFlow Datasets",
    rules=_c4("c4_tfds", 3),
    note=_CLEANS + "Lines of 5 words, 3 sentences. Sentences are cut by spaCy's sentencizer rules, not by punkt.",
)


def _fineweb(prefix: str = "") -> tuple[Rule, ...]:
    return (
        Rule("empty", f"{prefix}n_filled_lines", 1),
        Rule("line_punct_ratio", f"{prefix}terminal_line_share", 0.12),
        Rule("short_line_ratio", f"{prefix}short_line_share", None, 0.67),
        Rule("char_dup_ratio", f"{prefix}repeated_line_char_share", None, 0.01),
        _words("list_ratio", f"{prefix}newline_word_ratio", None, 0.3),
    )


FINEWEB_QUALITY = RuleSet(
    name="fineweb-quality",
    title="FineWeb quality",
    source="Penedo et al. 2024, arXiv 2406.17557; FineWebQualityFilter of datatrove 0.10",
    rules=_fineweb(),
)


def _prefix_reasons(part: str, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(replace(rule, reason=f"{part}_{rule.reason.removeprefix(part + '_')}") for rule in rules)


FINEWEB = RuleSet(
    name="fineweb",
    title="FineWeb, in its order",
    source="Penedo et al. 2024, arXiv 2406.17557; the FineWeb pipeline of datatrove 0.10",
    rules=(
        Rule("language", languages=("en",), min=0.65),
        *_prefix_reasons("repetition", GOPHER_REPETITION.rules),
        *_prefix_reasons("quality", GOPHER_QUALITY.rules),
        *_prefix_reasons("c4", _c4("c4_any_end", 5)),
        *_prefix_reasons("fineweb", _fineweb("after_c4_")),
    ),
    note="After the URL filter and extraction, which need the crawl; the FineWeb rules read what C4's line rules leave."
    " MinHash (14 bands of 8 over word 5-grams) and PII redaction follow as steps of their own.",
)

REFINEDWEB = RuleSet(
    name="refinedweb",
    title="RefinedWeb, as in DCLM",
    source="Penedo et al. 2023, arXiv 2306.01116; the DCLM baseline, arXiv 2406.11794",
    rules=(
        Rule("language", languages=("en",), min=0.65),
        Rule("page_length_min", "rw_words", 50),
        Rule("page_length_max", "rw_words", None, 100_000),
        Rule("word_length_min", "split_mean_word_length", 3),
        Rule("word_length_max", "split_mean_word_length", None, 10),
        Rule("symbol_ratio", "rw_symbol_word_ratio", None, 0.1),
        Rule("bullet_count", "rw_bullet_line_share", None, 0.9),
        Rule("ellipsis_count", "rw_ellipsis_line_share", None, 0.3),
        Rule("alphabetic_word_ratio", "split_alpha_word_share", 0.8),
        Rule("stop_word", "rw_stop_words", 2),
        Rule("line_repetition", "rw_duplicate_line_share", None, 0.3),
        Rule("paragraph_repetition", "rw_duplicate_paragraph_share", None, 0.3),
        Rule("line_char_repetition", "rw_duplicate_line_char_share", None, 0.2),
        Rule("paragraph_char_repetition", "rw_duplicate_paragraph_char_share", None, 0.2),
        *(Rule(f"top_{n}gram", f"rw_top_{n}gram_share", None, most) for n, most in ((2, 0.2), (3, 0.18), (4, 0.16))),
        *(
            Rule(f"duplicate_{n}gram", f"rw_duplicate_{n}gram_share", None, most)
            for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
        ),
        Rule("word_removal_ratio", "rw_removed_word_share", None, 0.05),
    ),
    note="Without the URL lists, and measured before addresses are cut out. N-grams roll over unicode words.",
)

NEMO = RuleSet(
    name="nemo",
    title="NeMo Curator heuristics",
    source="NeMo Curator 1.4, heuristic filters with their defaults",
    rules=(
        Rule("alpha_numeric", "nemo_non_alnum_share", None, 0.25),
        Rule("symbol_to_word", "split_symbol_word_share", None, 0.1),
        Rule("numbers_ratio", "decimal_share", None, 0.15),
        Rule("urls_ratio", "url_share", None, 0.2),
        Rule("white_space", "nemo_space_share", None, 0.25),
        Rule("parentheses_ratio", "bracket_share", None, 0.1),
        Rule("boilerplate_string_ratio", "nemo_boilerplate_share", None, 0.4),
        Rule("repeated_lines", "nemo_distinct_line_share", 0.7),
        Rule("repeated_paragraphs", "nemo_distinct_paragraph_share", 0.7),
        Rule("repeated_lines_char", "nemo_distinct_line_char_share", 0.8),
        Rule("repeated_paragraphs_char", "nemo_distinct_paragraph_char_share", 0.8),
        Rule("word_count_min", "split_words", 50),
        Rule("word_count_max", "split_words", None, 100_000),
        Rule("bullet_ratio", "nemo_bullet_line_share", None, 0.9),
        Rule("mean_word_length_min", "split_mean_word_length", 3),
        Rule("mean_word_length_max", "split_mean_word_length", None, 10),
        Rule("max_word_length", "split_longest_word", None, 1000),
        Rule("punctuation", "nemo_open_line_share", None, 0.85),
        Rule("ellipsis", "nemo_ellipsis_line_share", None, 0.3),
        Rule("common_english_words", "split_stop_words", 2),
        Rule("words_without_alphabets", "split_alpha_word_share", 0.8),
    ),
    note="Runs of blank lines count as repeated empty paragraphs, as there. Without the n-gram filters, whose choice"
    " among equally frequent n-grams depends on Python's hash seed.",
)


def _none_of(*signals: str) -> tuple[Rule, ...]:
    return tuple(Rule(signal, signal, None, 0) for signal in signals)


CONVERSATION_AUDIT = RuleSet(
    name="conversation-audit",
    title="Conversation audit",
    source="Own definition, from the signals of conversations",
    rules=(
        Rule("starts_with_assistant", "starts_with_assistant", flag=True),
        *_none_of("repeated_role"),
        Rule("ends_with_user", "ends_with_user", flag=True),
        *_none_of("unknown_role", "empty_turns", "unclosed_thinking", "results_without_call", "undeclared_tools"),
        *_none_of("invalid_arguments", "schema_violations", "repeated_calls", "refusals", "foreign_identity"),
        Rule("truncated_answer", "truncated_answer", flag=True),
    ),
    note="Only for conversations, preference pairs and prompts. Calls without result stay, since many sets of calls end"
    " with one; so do answers in another language, since some are translations.",
)

RULE_SETS: Mapping[str, RuleSet] = {
    rules.name: rules
    for rules in (
        GOPHER_QUALITY, GOPHER_REPETITION, C4, C4_TFDS, FINEWEB_QUALITY, FINEWEB, REFINEDWEB, NEMO, CONVERSATION_AUDIT,
    )
}  # fmt: skip


SOURCE = "D4: Tirumala et al. 2023, arXiv 2308.12284"
EQUAL = 1000.0
"""A temperature so high that complexity has no influence."""


def d4_recipe(concepts: str, *, share: float = 0.8, eps: float | None = None, near: bool = True) -> Recipe:
    """Return D4: MinHash duplicates, SemDeDup, then of every concept the share that is farthest from its centroid.

    Args:
        concepts: digest of frozen concepts, see ``concept_profiles.freeze_concepts``.
        share: of the documents that reach the last step.
        eps: of the semantic step; None for its default.
        near: start with MinHash near-duplicates.
    """
    recipe = Recipe(title="D4", why="Deduplicate, then diversify: drop what is most typical of each concept.")
    if near:
        recipe = recipe.with_operator(OPERATORS.fresh("near_dedup", {}), note=SOURCE)
    recipe = recipe.with_operator(OPERATORS.build("semantic_dedup", {} if eps is None else {"eps": eps}), note=SOURCE)
    params = {"concepts": concepts, "share": share, "alpha": 1.0, "tau": EQUAL, "floor": 0.0, "keep": "far"}
    origin = Provenance("rule set", source=SOURCE)
    step = Step(
        id=recipe.fresh_id("diversify"),
        operator=OPERATORS.build("cluster_budget", params),
        note=SOURCE,
        provenance=tuple((name, origin) for name in ("alpha", "floor", "tau")),
    )
    return recipe.with_step(step)
