"""Meaning: signals, embeddings, clusters, duplicates, operators, recipes, plans, evaluation.

The names below are the face for notebooks; everything else is internal::

    import tamis.analytics as ta

    study = ta.open("corpus")
    recipe = ta.Recipe.from_file("recipe.yaml")
    print(study.funnel(recipe))
    study.run(recipe, "out")

Importing any room passes through this file, so a name is loaded when it is first asked for.

The examples of the docstrings run in a folder that holds two files, which are made like this:

    >>> import json, pathlib
    >>> texts = ["A sieve keeps what is coarse.", "A sieve keeps what is coarse.", "Flour falls through it.",
    ...          "Then the sieve is shaken.", "Too short"]
    >>> notes = [json.dumps({"id": f"note-{k}", "text": text}) for k, text in enumerate(texts)]
    >>> _ = pathlib.Path("notes.jsonl").write_text("\\n".join(notes))
    >>> import tamis.analytics as ta
    >>> recipe = ta.Recipe(title="Notes that say something, once").with_operator("exact_dedup")
    >>> recipe = recipe.with_operator("signal_range", signal="n_tokens", min=4)
    >>> _ = pathlib.Path("recipe.yaml").write_text(recipe.to_yaml())
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.analytics.text.kernel_cache import use_kernel_cache

if TYPE_CHECKING:
    from tamis.analytics.notebook.catalogue import catalogue, presets
    from tamis.analytics.notebook.funnel import Funnel
    from tamis.analytics.notebook.opening import open
    from tamis.analytics.notebook.study import NotebookStudy
    from tamis.analytics.recipe.listing import Listing
    from tamis.analytics.recipe.presets import with_rule_set
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.data.errors import TamisError
    from tamis.data.progress import Progress

__all__ = [
    "Funnel",
    "Listing",
    "NotebookStudy",
    "Progress",
    "Recipe",
    "TamisError",
    "catalogue",
    "open",
    "presets",
    "with_rule_set",
]

# Numba decides where a kernel's code is kept when the kernel is decorated: this package comes before all of them.
use_kernel_cache(Path(__file__).parent)

_HOMES = {
    "Funnel": "tamis.analytics.notebook.funnel",
    "Listing": "tamis.analytics.recipe.listing",
    "Progress": "tamis.data.progress",
    "Recipe": "tamis.analytics.recipe.recipe",
    "NotebookStudy": "tamis.analytics.notebook.study",
    "TamisError": "tamis.data.errors",
    "catalogue": "tamis.analytics.notebook.catalogue",
    "open": "tamis.analytics.notebook.opening",
    "presets": "tamis.analytics.notebook.catalogue",
    "with_rule_set": "tamis.analytics.recipe.presets",
}

if not TYPE_CHECKING:  # A type checker reads the imports above, and would believe that this function finds any name.

    def __getattr__(name: str) -> Any:
        """Return a name of the face, loaded now."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the names of the face."""
    return __all__
