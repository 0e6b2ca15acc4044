"""The operators and the published rule sets of recipes."""

from __future__ import annotations

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.listing import Listing
from tamis.analytics.recipe.presets import RULE_SETS


def catalogue(containing: str = "") -> Listing:
    """Return the operators by name, with summary and parameters; a star marks required ones.

    Args:
        containing: only operators whose name, summary or term in the field contain this.

    Example:
        >>> ta.catalogue("exact_dedup").rows[0][:2]
        ('exact_dedup', 'Drops documents whose text is the same as a kept one.')
    """
    wanted = containing.lower()
    rows = tuple(
        (
            kind.name,
            kind.summary,
            kind.group,
            kind.term,
            ", ".join(f"{name}*" if field.is_required() else name for name, field in kind.model_fields.items()),
        )
        for kind in OPERATORS
        if wanted in f"{kind.name} {kind.summary} {kind.term}".lower()
    )
    return Listing(f"{len(rows)} operators", ("name", "what it does", "group", "term in the field", "parameters"), rows)


def presets() -> Listing:
    """Return the published rule sets; ``with_rule_set(recipe, name)`` adds one to a recipe.

    Example:
        >>> [name for name, *_ in ta.presets()][:3]
        ['c4', 'c4-tfds', 'conversation-audit']
    """
    rows = tuple(
        (each.name, each.title, len(each.rules), each.source, each.note)
        for each in sorted(RULE_SETS.values(), key=lambda each: each.name)
    )
    return Listing(f"{len(rows)} rule sets", ("name", "title", "rules", "source", "note"), rows)
