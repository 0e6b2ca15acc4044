"""Train proxy models on a recipe's selection, on random ones and on everything, and compare what they learn.

Every model of a comparison reads the same number of tokens in the same number of steps; a selection with fewer of them
is read several times. Tokens are bytes unless the plan names a tokenizer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect.bench import RANDOM, RECIPE, Bench, random_copies, selection_bytes, training_set
from tamis.analytics.effect.learning_curves import Curve
from tamis.analytics.effect.proxy_arm import Arm
from tamis.analytics.effect.proxy_ground import ProxyGround
from tamis.analytics.effect.proxy_plan import ProxyPlan, tokenizer_title
from tamis.analytics.effect.proxy_result import EVERYTHING, SHARE, ArmCurves, ProxyEffect, summarise
from tamis.analytics.effect.proxy_training import ProxyTrial
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.operators.budget import effective_tokens
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.errors import RecipeError
from tamis.data.progress import NullProgress, Progress

Listener = Callable[[ProxyEffect], None]


def measure_proxy(
    bed: EffectStudy,
    recipe: Recipe,
    plan: ProxyPlan,
    *,
    listen: Listener | None = None,
    progress: Progress | None = None,
) -> ProxyEffect:
    """Measure a recipe with proxy models, or return the stored result.

    Args:
        bed: the study with its target, see ``EffectStudy.open``.
        recipe: what to measure.
        plan: size, tokens and seeds.
        listen: called with what is known so far whenever a model reaches a checkpoint.
        progress: counts the tokens read by all models; may cancel.

    Raises:
        SettingError: there is no target, or a GPU is wanted and there is none.
        RecipeError: the recipe keeps too few bytes to train on, or as ``plan.evaluate``.
    """
    watch = progress or NullProgress()
    ground = ProxyGround(bed, plan)
    copies = bed.copies(recipe, progress=watch)
    size = selection_bytes(bed.bench, copies)
    if size < plan.spec.step_tokens:
        raise RecipeError(
            f"The recipe keeps too few bytes to train a {plan.size} model", value=size,
            allowed=f"{plan.spec.step_tokens:,} or more", fix="loosen a rule",
        )  # fmt: skip
    arms = [arm for seed in range(plan.seeds) for arm in _arms(bed.bench, copies, plan, seed)]
    return compare_arms(ground, arms, recipe=recipe, listen=listen, progress=watch)


def _arms(bench: Bench, copies: NDArray[np.int32], plan: ProxyPlan, seed: int) -> list[Arm]:
    """Return what one seed trains on: the recipe, a random draw of its size, everything, parts of the recipe."""
    size = selection_bytes(bench, copies)
    everything = random_copies(bench, deduplicated=False)
    wanted = [(RECIPE, 1.0, copies, size), (RANDOM, 1.0, everything, size)]
    wanted.append((EVERYTHING, 1.0, everything, selection_bytes(bench, everything)))
    least = plan.spec.step_tokens
    wanted += [(SHARE, part, copies, int(part * size)) for part in plan.shares if part * size >= least]
    found = []
    for name, part, chosen, budget in wanted:
        drawn = training_set(bench, chosen, budget=budget, seed=seed, salt="training set")
        if drawn.bytes:
            found.append(Arm(name, part, seed, drawn.rows, drawn.copies))
    return found


def compare_arms(
    ground: ProxyGround,
    arms: Sequence[Arm],
    *,
    recipe: Recipe | None = None,
    listen: Listener | None = None,
    progress: Progress | None = None,
) -> ProxyEffect:
    """Train what is not stored yet and return the comparison of all arms.

    Args:
        ground: what all models share.
        arms: what each model is trained on.
        recipe: that is compared; None where arms are of several.
        listen: called with what is known so far whenever a model reaches a checkpoint.
        progress: counts the tokens read by all models; may cancel.
    """
    kinds = _kinds(ground, arms)

    def tell(trials: Mapping[int, ProxyTrial]) -> None:
        if listen is not None:
            listen(_effect(ground, kinds, arms, trials, recipe))

    return _effect(ground, kinds, arms, ground.trials(arms, listen=tell, progress=progress), recipe)


def _kinds(ground: ProxyGround, arms: Sequence[Arm]) -> list[tuple[ArmCurves, list[int]]]:
    """Return what is trained on, without curves, and the places of the arms that are it."""
    groups: dict[tuple[str, float], list[int]] = {}
    for place, arm in enumerate(arms):
        groups.setdefault((arm.name, arm.part), []).append(place)
    return [(_kind(ground, arms[places[0]]), places) for places in groups.values()]


def _kind(ground: ProxyGround, arm: Arm) -> ArmCurves:
    bench, group, plan = ground.bed.bench, ground.bed.group, ground.plan
    order = ground.reader.order(arm)
    read = max(1, int(bench.bytes[order].sum())) if plan.has_tokenizer else plan.read
    seen = np.bincount(order, minlength=len(bench))
    owner = np.where(group >= 0, group, np.arange(len(bench)))
    times = np.bincount(owner, weights=seen, minlength=len(bench)).astype(np.int32)
    kept = int(bench.bytes[arm.rows].sum())
    worth = min(effective_tokens(bench.bytes.astype(np.float64), times), float(read))
    return ArmCurves(
        name=arm.name,
        part=arm.part,
        share=kept / max(1, int(bench.bytes[bench.allowed].sum())),
        documents=len(arm.rows),
        bytes=kept,
        passes=read / max(1, int((bench.bytes[arm.rows] * arm.copies).sum())),
        effective=worth * (plan.read / read),
        curves=(),
    )


def _effect(
    ground: ProxyGround,
    kinds: Sequence[tuple[ArmCurves, Sequence[int]]],
    arms: Sequence[Arm],
    trials: Mapping[int, ProxyTrial],
    recipe: Recipe | None,
) -> ProxyEffect:
    """Return the comparison of the models that are there."""
    bed, plan = ground.bed, ground.plan
    done = {
        (arm.name, arm.part, arm.seed): trials[place]
        for place, arm in enumerate(arms)
        if place in trials and len(trials[place].bits)
    }
    found = ProxyEffect(
        recipe=recipe.digest if recipe else "",
        title=recipe.title if recipe else "",
        target=bed.name,
        target_digest=bed.target.digest if bed.target else "",
        size=plan.spec.name,
        parameters=plan.spec.parameters,
        tokens=plan.read,
        seeds=plan.seeds,
        precision=ground.precision,
        device=plan.device,
        scored_texts=len(ground.scored),
        scored_bytes=int(ground.scored.bytes.sum()),
        tokenizer=tokenizer_title(plan.tokenizer),
        bytes_per_token=ground.bytes_per_token,
        arms=tuple(replace(kind, curves=_curves(arms, trials, places)) for kind, places in kinds),
        whole=len(done) == len(arms),
    )
    return replace(found, **summarise(found, done, ground.scored.bytes, ground.general.bytes))


def _curves(arms: Sequence[Arm], trials: Mapping[int, ProxyTrial], places: Sequence[int]) -> tuple[Curve, ...]:
    begun = [place for place in places if place in trials and trials[place].tokens]
    return tuple(Curve(arms[place].seed, trials[place].tokens, trials[place].losses) for place in begun)
