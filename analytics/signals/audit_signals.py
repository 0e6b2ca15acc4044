"""The signals of conversations: what is counted, and where it does not apply."""

from __future__ import annotations

from tamis.analytics.signals.signal import SIGNALS, Dtype, Signal
from tamis.analytics.text.word_stream import CONVENTION as WORDS

STEP = "audit"
_TURNS = "turns: messages of the conversation in order; of a pair, those that both sides share"
_ANSWER = "answer: text of the last assistant turn; of a pair, of the chosen side"
_TOOLS = "tools-1: calls and results joined by their ids, else in order"


def _signal(
    name: str, title: str, help: str, unit: str, convention: str, dtype: Dtype = "int32", high: float | None = None
) -> Signal:
    return Signal(
        name, title, help, unit, convention, "Own definition", dtype, 0.0, high, group="Conversations", step=STEP
    )


def _count(name: str, title: str, help: str, unit: str, convention: str = _TURNS) -> Signal:
    return _signal(name, title, help, unit, convention)


def _flag(name: str, title: str, help: str, convention: str = _TURNS) -> Signal:
    return _signal(name, title, help, "yes or no", convention, "bool", 1.0)


AUDIT = SIGNALS.register(
    _count("n_turns", "Turns", "Number of turns.", "turns"),
    _count("n_user_turns", "User turns", "Turns of the user.", "turns"),
    _count("n_assistant_turns", "Assistant turns", "Turns of the assistant.", "turns"),
    _count("n_system_turns", "System turns", "Turns of the system; more than one is unusual.", "turns"),
    _flag("starts_with_assistant", "Starts with the assistant", "The first turn after the system is the assistant's."),
    _count(
        "repeated_role",
        "Two of a role in a row",
        "Turns of user, assistant or system right after one of the same role; calls after text are none.",
        "turns",
    ),
    _flag("ends_with_user", "Ends with the user", "The last turn is the user's; NULL for pairs and prompts."),
    _count("unknown_role", "Unknown roles", "Turns whose role is none of the known words.", "turns"),
    _count("empty_turns", "Empty turns", "Turns of either side without text, call or image.", "turns"),
    _count(
        "unclosed_thinking",
        "Unclosed thinking",
        "Marks <think> and </think> in answers without their counterpart.",
        "marks",
        "thinking between the two marks",
    ),
    _count(
        "empty_thinking",
        "Empty thinking",
        "Pieces of thinking without text.",
        "pieces",
        "thinking between the two marks, or in a field of its own",
    ),
    _count("n_tool_calls", "Calls of tools", "Calls of tools.", "calls", _TOOLS),
    _count("calls_without_result", "Calls without result", "Calls that no result answers.", "calls", _TOOLS),
    _count("results_without_call", "Results without call", "Results that answer no call.", "results", _TOOLS),
    _flag("ends_with_call", "Ends with a call", "The last turn calls a tool.", _TOOLS),
    _count(
        "undeclared_tools",
        "Calls of undeclared tools",
        "Calls of tools that the column of tools lacks; NULL without such a column.",
        "calls",
        _TOOLS,
    ),
    _count(
        "invalid_arguments", "Invalid arguments", "Calls whose arguments are not a JSON object.", "calls", _TOOLS
    ),
    _count(
        "schema_violations",
        "Arguments against the schema",
        "Calls whose arguments break the declared schema; NULL without a column of tools.",
        "calls",
        f"{_TOOLS}; of schemas are read: type, enum, const, required, properties, additionalProperties, items, anyOf,"
        " oneOf, allOf",
    ),
    _count(
        "repeated_calls",
        "Repeated calls",
        "Calls made at least twice before, the last two times with the same reply.",
        "calls",
        _TOOLS,
    ),
    _count(
        "refusals",
        "Refusals",
        "Answers with a phrase of the list refusals in their first 300 characters.",
        "answers",
        "list refusals@1: en, de, fr, es, it, pt, nl, pl, ru, zh, ja",
    ),
    _count(
        "foreign_identity",
        "Foreign identity",
        "Answers that say to be another model, by the list identity.",
        "answers",
        "list identity@1: en, de, fr, es, it, pt, nl, pl, ru, zh, ja",
    ),
    _flag(
        "answer_language_differs",
        "Answer in another language",
        "Question and answer are in different languages, by their first 400 characters without code; NULL unless"
        " both have 40 and a confidence of 0.8.",
        f"{_ANSWER}; question: the user's last turn before it",
    ),
    _flag(
        "truncated_answer",
        "Truncated answer",
        "The answer seems cut: an open code fence, or 100 characters or more whose last line has an open bracket, or"
        " has 40 characters or more, is no item of a list and ends in a letter, digit, comma, colon, dash or opening"
        " bracket.",
        _ANSWER,
    ),
    _signal(
        "repeats_question",
        "Question repeated",
        "Share of the question's word 3-grams that the answer contains; NULL for questions of fewer than 3 words.",
        "share",
        f"{_ANSWER}; words {WORDS}",
        "float32",
        1.0,
    ),
    _signal(
        "answer_prompt_ratio",
        "Answer to prompt",
        "Characters of the answer by those of everything before it; NULL if either is missing.",
        "ratio",
        _ANSWER,
        "float32",
    ),
)  # fmt: skip
"""In the order of the columns of the step."""
