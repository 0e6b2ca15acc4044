"""One proxy model: the same bytes every time, also when it is stopped on its way; orders, windows and schedules."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import Domain, invented, noise

from tamis.analytics.effect.proxy_model import ProxyModel
from tamis.analytics.effect.proxy_plan import SIZES, ProxyPlan, checkpoint_steps, find_size, learning_rate
from tamis.analytics.effect.proxy_text import END, TokenTexts, context_order, reading_order
from tamis.analytics.effect.proxy_training import ProxyState, ProxyTrial, hired, train_proxy
from tamis.data.errors import SettingError
from tamis.data.hashing import key64

PLAN = ProxyPlan(tokens=33_000, seeds=1)


def _texts(count: int, *, clean: bool) -> TokenTexts:
    random = np.random.default_rng(4)
    domain = Domain("river", invented(60, np.random.default_rng(0)), words=40)
    made = [domain.text(random, 30) if clean else noise(random, 30) for _ in range(count)]
    return TokenTexts.of(pa.array(made, pa.large_string()))


def _stream(texts: TokenTexts) -> np.ndarray:
    order = reading_order(
        key64([str(k) for k in range(len(texts))]), texts.bytes, np.ones(len(texts), np.int32),
        tokens=PLAN.tokens, seed=0,
    )  # fmt: skip
    return texts.stream(order, PLAN.tokens)


def _train(texts: TokenTexts, states: list[ProxyState], state: ProxyState | None = None) -> ProxyTrial:
    scored = _texts(220, clean=True)
    held = replace(
        scored, symbols=scored.symbols[scored.starts[200] :], starts=scored.starts[200:] - scored.starts[200],
        bytes=scored.bytes[200:],
    )  # fmt: skip
    return train_proxy(PLAN, _stream(texts), held, held, seed=1, precision="float32", state=state, save=states.append)


@pytest.fixture(scope="module")
def trained() -> tuple[ProxyTrial, list[ProxyState]]:
    states: list[ProxyState] = []
    return _train(_texts(200, clean=True), states), states


def test_the_same_seed_gives_the_same_bytes_also_after_a_stop(trained: tuple[ProxyTrial, list[ProxyState]]) -> None:
    whole, states = trained
    half = next(state for state in states if state.step == PLAN.steps // 2)
    later: list[ProxyState] = []
    again = _train(_texts(200, clean=True), later, half)
    assert again.losses == whole.losses and again.tokens == whole.tokens
    assert again.bits.tobytes() == whole.bits.tobytes()
    assert later[-1].weights.tobytes() == states[-1].weights.tobytes()


def test_clean_text_teaches_more_than_noise(trained: tuple[ProxyTrial, list[ProxyState]]) -> None:
    losses = trained[0].losses
    assert losses[-1] < losses[0] < 8.0
    assert _train(_texts(200, clean=False), []).losses[-1] > losses[-1] + 0.5


@pytest.mark.parametrize("name", SIZES)
def test_a_size_has_the_parameters_it_is_named_for(name: str) -> None:
    size = find_size(name)
    assert abs(size.parameters / (float(name.removesuffix("M")) * 1e6) - 1) < 0.06
    assert size.width % (2 * size.heads) == 0
    if size.parameters < 3e6:
        assert sum(part.numel() for part in ProxyModel(size, seed=0).parameters()) == size.parameters


def test_the_documentation_lists_the_sizes_as_they_are() -> None:
    text = (Path(__file__).parents[2] / "docs" / "effect.md").read_text("utf-8")
    for size in SIZES.values():
        row = (size.name, size.layers, size.width, size.hidden, size.heads, size.context, size.batch, size.rate)
        assert f"| {' | '.join(map(str, row))} |" in text


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_sees_no_byte_before_its_time(precision: str) -> None:
    # Late: torch.
    import torch

    model = ProxyModel(find_size("2M"), seed=0)
    a = torch.arange(200)[None]
    b = a.clone()
    b[0, 150] = 250
    with torch.inference_mode():
        difference = (model(a, getattr(torch, precision)) - model(b, getattr(torch, precision))).abs().amax(-1)[0]
    assert bool((difference[:150] == 0).all()) and bool((difference[150:] > 0).all())


def test_every_gradient_in_bfloat16_points_where_that_in_float32_does() -> None:
    # Late: torch.
    import torch

    model = ProxyModel(find_size("2M"), seed=0)
    symbols = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 201)))

    def gradients(dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
        logits = model(symbols[:, :-1], dtype)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), symbols[:, 1:].reshape(-1))
        return torch.autograd.grad(loss, list(model.parameters()))

    for exact, narrow in zip(gradients(torch.float32), gradients(torch.bfloat16), strict=True):
        assert float(torch.cosine_similarity(exact.flatten(), narrow.flatten(), 0)) > 0.99
        assert 0.9 < float(narrow.norm() / exact.norm()) < 1.1


def test_a_step_of_two_parts_has_the_same_bytes_with_any_number_of_hands() -> None:
    plan = ProxyPlan("2M", 66_000, 1)
    scored = _texts(4, clean=True)
    stream = np.resize(_texts(100, clean=True).symbols, plan.tokens + 1)
    weights = [part.detach().numpy().ravel() for part in ProxyModel(plan.spec, seed=1).parameters()]
    begun = np.concatenate([*weights, np.zeros(2 * sum(map(len, weights)))]).astype(np.float32)
    ends = []
    for count in (0, 1, 2):
        states: list[ProxyState] = []
        with hired(max(count, 1)) as hands:
            train_proxy(
                plan, stream, scored, scored, seed=1, precision="bfloat16", state=ProxyState(plan.steps - 2, begun),
                save=states.append, hands=hands if count else None,
            )  # fmt: skip
        ends.append((states[-1].weights.tobytes(), states[-1].losses))
    assert ends[0] == ends[1] == ends[2] and ends[0][0] != begun.tobytes()


def test_parts_are_in_the_key_of_the_sizes_that_have_them() -> None:
    keys = {name: ProxyPlan(name, 10_000_000).params("float32") for name in SIZES}
    assert "parts" not in keys["0.5M"] and "parts" not in keys["0.5M"]["size"]
    assert all(keys[name]["parts"] == SIZES[name].parts == 2 for name in SIZES if name != "0.5M")
    assert all(size.batch % size.parts == 0 for size in SIZES.values())


TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=12)


@given(TEXTS, st.integers(1, 16))
def test_windows_score_every_byte_once_after_the_symbol_before_it(texts: list[str], context: int) -> None:
    made = TokenTexts.of(pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string()))
    found: dict[int, list[tuple[int, int]]] = {}
    for symbols, after, rows in made.windows(context):
        assert symbols.shape == after.shape and symbols.shape[1] <= context
        for row, before, wanted in zip(rows, symbols, after, strict=True):
            pairs = [(int(a), int(b)) for a, b in zip(before, wanted, strict=True) if b >= 0]
            found.setdefault(int(row), []).extend(pairs)
    for row in range(len(made)):
        own = made.symbols[made.starts[row] : made.starts[row + 1] - 1].tolist()
        assert sorted(found.get(row, [])) == sorted(zip([END, *own][: len(own)], own, strict=True))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=20), st.integers(1, 400))
def test_every_pass_reads_each_copy_once_in_any_order_of_rows(rows: list[tuple[int, int]], tokens: int) -> None:
    sizes, copies = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=np.int32)
    copies[0] = max(copies[0], 1)
    keys = key64([f"text {k}" for k in range(len(rows))])
    order = reading_order(keys, sizes, copies, tokens=tokens, seed=3)
    spent = np.cumsum(sizes[order] + 1)
    assert spent[-1] >= tokens and (len(spent) == 1 or spent[-2] < tokens)
    once = int(copies.sum())
    for first in range(0, len(order) - once + 1, once):
        assert np.array_equal(np.bincount(order[first : first + once], minlength=len(rows)), copies)
    turned = np.random.default_rng(0).permutation(len(rows))
    other = reading_order(keys[turned], sizes[turned], copies[turned], tokens=tokens, seed=3)
    assert np.array_equal(keys[turned][other], keys[order])


@given(st.integers(1, 5000), st.integers(0, 3))
def test_contexts_are_shuffled_within_their_block(contexts: int, seed: int) -> None:
    order = context_order(contexts, block=64, seed=seed)
    assert np.array_equal(np.sort(order), np.arange(contexts))
    assert np.array_equal(order // 64, np.arange(contexts) // 64)


@given(st.integers(32, 100_000))
def test_the_rate_warms_up_and_falls_to_a_tenth(steps: int) -> None:
    rates = [learning_rate(step, steps, highest=1.0) for step in range(0, steps, max(1, steps // 50))]
    assert min(rates) > 0 and max(rates) <= 1.0 and math.isclose(learning_rate(steps, steps, highest=1.0), 0.1)
    checks = checkpoint_steps(steps)
    assert checks[-1] == steps and checks[0] >= 1 and list(checks) == sorted(set(checks))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": "1G"}, "Unknown size"),
        ({"tokens": 1000}, "Too few tokens"),
        ({"seeds": 0}, "needs seeds"),
        ({"shares": (1.5,)}, "between 0 and 1"),
        ({"device": "tpu"}, "Unknown device"),
    ],
)
def test_a_plan_that_cannot_be_is_an_error(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        ProxyPlan(**changes)  # type: ignore[arg-type]
