"""The plan of training: from what a recipe keeps to the batches that a trainer reads, before anything is written.

``TrainingPlan.make`` decides splits and streams from the facts alone, in seconds for a million documents, and refuses
what cannot work. Its digest covers everything that decides. ``build`` makes the tokens or texts and packs them.

A recipe without ``split`` has train only; without ``expand`` each document comes as often as its copies, in one epoch,
in the order of the recipe if a step gives one, else shuffled; without ``pack`` samples are texts; without ``batches``
the order stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import Evidence, Operator, TrainingOperator, View
from tamis.analytics.operators.sets import group_codes
from tamis.analytics.operators.training import ComposeBatches, ExpandCopies, PackSequences, SplitDocuments
from tamis.analytics.recipe.outcome import Outcome, Selection
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe, params_of
from tamis.analytics.study.study import Study
from tamis.analytics.training.batches import difficulty_groups
from tamis.analytics.training.conversations import chosen_template, least_tokens
from tamis.analytics.training.data import SPLITS, Split, TokenFormat
from tamis.analytics.training.encoded import Tokenizer
from tamis.analytics.training.expand import Stream, expand, once
from tamis.analytics.training.kept_rows import is_chat, text_steps
from tamis.analytics.training.splits import LeakCheck, VerifiedTwins, assign, check_leaks, join_groups
from tamis.analytics.training.token_store import Tokenization, edits_of
from tamis.analytics.training.tokenizer import load_tokenizer
from tamis.data.errors import RecipeError
from tamis.data.hashing import digest, mix_keys
from tamis.data.progress import Progress

PLAN_VERSION = 1
"""Raised whenever the same recipe on the same documents gives other samples or another order."""

Kind = TypeVar("Kind", bound=Operator)


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """What decides the samples of every split.

    Attributes:
        study: the corpus with its facts.
        outcome: what the recipe keeps.
        rows: int64 (kept,), facts rows of the kept documents, ascending.
        split: int8 (kept,), the split of each, as the place in ``SPLITS``.
        streams: documents of each split in training order; rows are facts rows. Splits without a share are absent.
        twins: verified twins among the kept documents; None where the recipe may divide them.
        tokenization: how documents become tokens; None for texts.
        form: of the tokens; None for texts.
        group: int32 (kept,), group of each document in batches; all 0 if batches have none.
        groups: names of the groups.
    """

    study: Study
    outcome: Outcome
    rows: NDArray[np.int64]
    split: NDArray[np.int8]
    streams: Mapping[Split, Stream]
    twins: VerifiedTwins | None
    tokenization: Tokenization | None
    form: TokenFormat | None
    group: NDArray[np.int32]
    groups: tuple[str, ...]

    @classmethod
    def make(cls, study: Study, outcome: Outcome, *, progress: Progress | None = None) -> TrainingPlan:
        """Return the plan of what a recipe keeps.

        Args:
            study: the corpus; what the recipe measures is measured.
            outcome: of the recipe.
            progress: checked between parts.

        Raises:
            RecipeError: nothing is kept, a split is empty, copies do not fit, or sequences are too short.
            SettingError: the tokenizer or the template cannot be used.
        """
        rows = np.flatnonzero(outcome.kept)
        if not len(rows):
            raise RecipeError("The recipe keeps no document", fix="loosen a rule")
        tokenization, form = _tokenized(study, outcome)
        split, twins = divide(study.facts, study.evidence, outcome, rows)
        if progress is not None:
            progress.check()
        streams = {
            name: stream_of(study.facts, outcome, rows[split == number], name)
            for number, name in enumerate(SPLITS)
            if _share(outcome, name) > 0
        }
        group, groups = batch_groups(study.facts, study.evidence, outcome, rows)
        return cls(study, outcome, rows, split, streams, twins, tokenization, form, group, groups)

    def step(self, kind: type[Kind]) -> Kind | None:
        """Return the active operator of a kind, None if the recipe has none."""
        return step_of(self.outcome, kind)

    @cached_property
    def leaks(self) -> LeakCheck | None:
        """Return the verified twins that the split divides, None where none were looked for."""
        if self.twins is None:
            return None
        return check_leaks(self.split, self.twins, self.study.facts.ids.take(self.rows))

    @cached_property
    def digest(self) -> str:
        """Return the sha256 over everything that decides: documents, splits, streams, tokens, packing and batches.

        Paths do not count, contents do: the same tokenizer in another folder gives the same digest.
        """
        state = hashlib.sha256(digest(self._decides()).encode())
        for array in (self.rows, self.split.astype(np.int64), self.group.astype(np.int64)):
            state.update(np.ascontiguousarray(array, dtype="<i8").data)
        for name in SPLITS:
            if name in self.streams:
                stream = self.streams[name]
                for part in (stream.row, stream.copy.astype(np.int64), stream.epoch.astype(np.int64)):
                    state.update(np.ascontiguousarray(part, dtype="<i8").data)
        return state.hexdigest()

    def _decides(self) -> dict[str, Any]:
        documents = self.study.documents
        pack, batches = self.step(PackSequences), self.step(ComposeBatches)
        packing = None if pack is None else {
            key: value for key, value in params_of(pack).items() if key not in ("tokenizer", "template", "special")
        }  # fmt: skip
        return {
            "plan": PLAN_VERSION,
            "selection": Selection.from_outcome(self.outcome, self.study.facts).digest,
            "texts": documents.texts,
            "edits": edits_of(text_steps(self.outcome.recipe)),
            "splits": list(self.streams),
            "tokens": None if self.tokenization is None else self.tokenization.plain,
            "pack": packing,
            "pad": None if self.form is None else self.form.pad,
            "batches": None if batches is None else params_of(batches),
            "groups": list(self.groups),
        }


def has_training(recipe: Recipe) -> bool:
    """Return whether a recipe has an active step of training."""
    return any(isinstance(step.operator, TrainingOperator) for step in recipe.active)


def step_of(outcome: Outcome, kind: type[Kind]) -> Kind | None:
    """Return the active operator of a kind in the recipe of an outcome, None if it has none."""
    return next((step.operator for step in outcome.steps if isinstance(step.operator, kind)), None)


def _share(outcome: Outcome, name: Split) -> float:
    step = step_of(outcome, SplitDocuments)
    shares = {"validation": 0.0, "test": 0.0} if step is None else {"validation": step.validation, "test": step.test}
    return shares.get(name, 1.0)


def _view(facts: Facts, evidence: Evidence, outcome: Outcome, rows: NDArray[np.int64], columns: frozenset[str]) -> View:
    facts = attach(facts, outcome.recipe.measures(), evidence)
    return View(rows, facts.keys[rows], outcome.copies[rows], facts.table(sorted(columns), rows), evidence)


def divide(
    facts: Facts, evidence: Evidence, outcome: Outcome, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int8], VerifiedTwins | None]:
    """Return the split of each kept document, int8 (kept,), and the twins among them.

    Raises:
        RecipeError: a split is empty.
    """
    step = step_of(outcome, SplitDocuments)
    if step is None:
        return np.zeros(len(rows), dtype=np.int8), None
    view = _view(facts, evidence, outcome, rows, step.columns() | {"n_tokens"})
    twins = None
    if step.near is not None:
        measure = step.near.measure
        pairs, first = evidence.pairs(measure), evidence.array(measure, "first")
        twins = VerifiedTwins.of(rows, first, pairs, level=step.near.level)
    codes = [group_codes(view, step.by)[0]] if step.by else []
    for name, text in (("same text", "norm_group"), ("same prompt", "prompt.norm_group")):
        if name in step.together:
            # A text of its own has no group.
            code = np.nan_to_num(view.numbers(text), nan=-1).astype(np.int64)
            codes.append(code if text == "norm_group" else np.where(view.numbers("prompt.bytes") > 0, code, -1))
    groups = join_groups(len(rows), twins=twins, codes=codes)
    sizes = view.numbers("n_tokens").astype(np.int64) if step.share_of == "tokens" else np.ones(len(rows), np.int64)
    split = assign(view.keys, sizes, groups, validation=step.validation, test=step.test, seed=step.seed)
    for number, name in enumerate(SPLITS):
        if _share(outcome, name) > 0 and not (split == number).any():
            largest = int(np.bincount(groups).max())
            raise RecipeError(
                f"The split {name} is empty",
                value=f"{len(rows)} documents in {int(groups.max()) + 1} groups, the largest of {largest}",
                fix=f"raise the share of {name} in split, lower the others, or hold fewer documents together",
            )
    return split, twins


def stream_of(facts: Facts, outcome: Outcome, rows: NDArray[np.int64], name: Split) -> Stream:
    """Return the stream of a split; rows are facts rows."""
    step, keys = step_of(outcome, ExpandCopies), facts.keys[rows]
    if name != "train":
        seed = 0 if step is None else step.seed
        return once(rows[np.lexsort((rows, mix_keys(keys, seed=seed, salt="evaluation order")))])
    position = None if outcome.position is None else outcome.position[rows]
    if step is None:
        step = ExpandCopies(order="shuffle" if position is None else "recipe order", weights=False)
    weight = outcome.weight[rows] if step.weights and outcome.weight is not None else None
    ordered = {"shuffle": 0, "recipe order": step.epochs}.get(step.order, 1)
    stream = expand(
        keys, outcome.copies[rows], weight=weight, position=position, ordered=ordered, epochs=step.epochs,
        window=step.window, seed=step.seed,
    )  # fmt: skip
    if not len(stream):
        raise RecipeError("The split train is empty: weights leave no document", fix="raise the weights or the epochs")
    return Stream(rows[stream.row], stream.copy, stream.epoch, stream.window)


def batch_groups(
    facts: Facts, evidence: Evidence, outcome: Outcome, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return the group of each kept document in batches, int32 (kept,), and the names of the groups."""
    step = step_of(outcome, ComposeBatches)
    if step is None or step.mode == "free":
        return np.zeros(len(rows), dtype=np.int32), ("",)
    view = _view(facts, evidence, outcome, rows, step.columns())
    if step.difficulty is not None:
        return difficulty_groups(view.numbers(step.difficulty), bins=step.bins)
    codes, names = group_codes(view, step.by)
    return codes.astype(np.int32), tuple(names)


def _tokenized(study: Study, outcome: Outcome) -> tuple[Tokenization | None, TokenFormat | None]:
    """Return how documents become tokens, and the form of sequences; nothing without ``pack``.

    Raises:
        SettingError: the tokenizer or the template cannot be used.
        RecipeError: the tokenizer has no such special token, or sequences are too short for the template.
    """
    step = step_of(outcome, PackSequences)
    if step is None:
        return None, None
    tokenizer = load_tokenizer(step.tokenizer)
    mark = _special(tokenizer, step)
    template = chosen_template(step.template, tokenizer) if is_chat(study.corpus) else None
    least = 1 if template is None else least_tokens(template, tokenizer) + (mark is not None)
    if least >= step.length:
        raise RecipeError(
            "Sequences are too short for the chat template: a turn that says nothing fills one",
            value=step.length, allowed=f"more than {least} tokens", fix="raise length in pack",
        )  # fmt: skip
    pad = tokenizer.pad or tokenizer.end
    number = None if pad is None else tokenizer.id_of(pad)
    if step.pad and number is None:
        raise RecipeError("The tokenizer has no token to pad with", value=step.tokenizer, fix="switch pad off in pack")
    ends = {"begin": mark if step.separator == "begin" else None, "end": mark if step.separator == "end" else None}
    tokenization = Tokenization(step.tokenizer, template=template, steps=text_steps(outcome.recipe), **ends)
    own = None if tokenizer.end is None else tokenizer.id_of(tokenizer.end)
    end = ends["end"] if ends["end"] is not None else own
    form = TokenFormat(
        step.tokenizer, tokenizer.sha256, tokenizer.vocabulary, eos=end, pad=number, length=step.length, padded=step.pad
    )
    return tokenization, form


def _special(tokenizer: Tokenizer, step: PackSequences) -> int | None:
    """Return the id of the separator, None for no separator."""
    if step.separator == "none":
        return None
    token = step.special or (tokenizer.end if step.separator == "end" else tokenizer.begin)
    number = None if token is None else tokenizer.id_of(token)
    if number is None:
        raise RecipeError(
            "The tokenizer has no such special token" if token else f"The tokenizer has no {step.separator} token",
            value=token or step.tokenizer,
            fix="name one of its tokens in special of pack, or choose separator none",
        )
    return number
