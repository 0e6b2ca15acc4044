"""A decoder-only language model in plain torch. Imported late: torch takes a second.

RMSNorm before each part (Zhang and Sennrich 2019, arXiv 1910.07467), rotary positions (Su 2021, arXiv 2104.09864),
SwiGLU (Shazeer 2020, arXiv 2002.05202), no biases, and the output tied to the embedding: what small open models use.
RMSNorm and the missing biases save passes over memory, which bound models of this width on a processor.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from tamis.analytics.effect.proxy_plan import ProxySize

_EPSILON = 1e-6
_BASE = 10_000.0
_QUERIES = 128
"""Positions whose attention is made at a time: what all of them cannot see is not multiplied."""


class _Block(nn.Module):
    """Attention, then a gated layer, each on the normed sum of everything before."""

    def __init__(self, size: ProxySize) -> None:
        super().__init__()
        width, hidden = size.width, size.hidden
        self.heads = size.heads
        self.first, self.second = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.read = nn.Linear(width, 3 * width, bias=False)
        self.mixed = nn.Linear(width, width, bias=False)
        self.wide = nn.Linear(width, 2 * hidden, bias=False)
        self.narrow = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Return the sum with both parts added; they multiply in the number format of the angles."""
        texts, length, width = x.shape
        dtype = cosine.dtype
        read = fn.linear(_norm(x, self.first, dtype), self.read.weight.to(dtype))
        both, value = read.split_with_sizes((2 * width, width), -1)
        query, key = _turn(both.view(texts, length, 2 * self.heads, -1), cosine, sine).chunk(2, 2)
        seen = _attend(query, key, value.view(texts, length, self.heads, -1)).reshape(texts, length, width)
        x = x + fn.linear(seen, self.mixed.weight.to(dtype))
        gate, up = fn.linear(_norm(x, self.second, dtype), self.wide.weight.to(dtype)).chunk(2, -1)
        return x + fn.linear(fn.silu(gate) * up, self.narrow.weight.to(dtype))


class ProxyModel(nn.Module):
    """The proxy: predicts the next symbol from those before it.

    Args:
        size: layers and widths.
        seed: of the first weights: normal with deviation 1 / sqrt(width), which learns much faster at this size than
            the 0.02 of large models; the ends of a block are divided by sqrt(2 layers).
    """

    def __init__(self, size: ProxySize, *, seed: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size.symbols, size.width)
        self.blocks = nn.ModuleList(_Block(size) for _ in range(size.layers))
        self.cosine: Tensor
        self.sine: Tensor
        self.last = nn.Parameter(torch.ones(size.width))
        half = size.width // size.heads // 2
        angles = torch.arange(size.context)[:, None] * _BASE ** (-torch.arange(half) / half)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)
        self._start(size, torch.Generator().manual_seed(seed))

    def _start(self, size: ProxySize, chance: torch.Generator) -> None:
        deviation = 1 / math.sqrt(size.width)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                ends = name.endswith(("mixed.weight", "narrow.weight"))
                divisor = math.sqrt(2 * size.layers) if ends else 1.0
                nn.init.normal_(weight, std=deviation / divisor, generator=chance)

    def forward(self, symbols: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the logits of each next symbol, float32 (texts, length, symbols), from int64 (texts, length).

        Matrices are multiplied in ``dtype``; weights, norms, and the sum that passes through stay in float32.
        """
        length = symbols.shape[1]
        x = self.embedding(symbols)
        cosine, sine = (angle[:length, None].to(dtype) for angle in (self.cosine, self.sine))
        for block in self.blocks:
            x = block(x, cosine, sine)
        return fn.linear(_norm(x, self.last, dtype), self.embedding.weight.to(dtype)).float()


def _norm(x: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Divide by the root of the mean square and multiply by a weight."""
    if dtype == torch.float32 or x.is_cuda:
        return fn.rms_norm(x, (x.shape[-1],), weight, _EPSILON).to(dtype)
    found: Tensor = _NarrowNorm.apply(x, weight)  # type: ignore[no-untyped-call]
    return found


class _NarrowNorm(torch.autograd.Function):
    """The norm with bfloat16 at its end. Its gradient passes over memory half as often as that of torch's parts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = (length.square() / x.shape[-1] + _EPSILON).rsqrt()
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight).to(torch.bfloat16)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor, Tensor]:
        x, weight, scale = ctx.saved_tensors
        normed, slope = x * scale, above[0].float()
        of_weight = (slope * normed).sum((0, 1))
        slope *= weight
        along = torch.einsum("btw,btw->bt", slope, normed)[..., None] / x.shape[-1]
        return torch.addcmul(slope, normed, along, value=-1).mul_(scale), of_weight


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return what each position sees, (texts, length, heads, d), from three of that shape; none sees a later one."""
    if value.dtype == torch.float32 or value.is_cuda:
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        return fn.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)
    # On a processor torch's own attention multiplies bfloat16 at a third of the speed of plain products.
    texts, length, heads, width = query.shape
    query, key, value = (part.transpose(1, 2).reshape(-1, length, width) for part in (query, key, value))
    found = []
    for begin in range(0, length, _QUERIES):
        end = min(begin + _QUERIES, length)
        later = torch.full((end - begin, end), -math.inf, dtype=query.dtype).triu(begin + 1)
        score = torch.baddbmm(later, query[:, begin:end], key[:, :end].transpose(1, 2), alpha=width**-0.5)
        found.append(torch.bmm(score.softmax(-1), value[:, :end]))
    return torch.cat(found, 1).view(texts, heads, length, width).transpose(1, 2)


def _turn(part: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate halves of each head, (texts, length, heads, d), by the angle of its position."""
    a, b = part.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)
