"""A decoder-only language model of bytes in plain torch. Imported late: torch takes a second.

RMSNorm before each part (Zhang and Sennrich 2019, arXiv 1910.07467), rotary positions (Su 2021, arXiv 2104.09864),
SwiGLU (Shazeer 2020, arXiv 2002.05202), no biases, and the output tied to the embedding: what small open models use.
RMSNorm and the missing biases save passes over memory, which bound models of this width on a processor.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from tamis.analytics.effect.proxy_plan import SYMBOLS, ProxySize

_EPSILON = 1e-6
_BASE = 10_000.0


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
        texts, length, width = x.shape
        read = self.read(fn.rms_norm(x, (width,), self.first, _EPSILON))
        query, key, value = (part.view(texts, length, self.heads, -1).transpose(1, 2) for part in read.chunk(3, -1))
        query, key = (_turn(part, cosine, sine).to(value.dtype) for part in (query, key))
        seen = fn.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.mixed(seen.transpose(1, 2).reshape(texts, length, width))
        gate, up = self.wide(fn.rms_norm(x, (width,), self.second, _EPSILON)).chunk(2, -1)
        return x + self.narrow(fn.silu(gate) * up)


class ByteModel(nn.Module):
    """The proxy: predicts the next of 257 symbols from those before it.

    Args:
        size: layers and widths.
        seed: of the first weights: normal with deviation 1 / sqrt(width), which learns much faster at this size than
            the 0.02 of large models; the ends of a block are divided by sqrt(2 layers).
    """

    def __init__(self, size: ProxySize, *, seed: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, size.width)
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

    def forward(self, symbols: Tensor) -> Tensor:
        """Return the logits of each next symbol, (texts, length, 257), from int64 (texts, length)."""
        length = symbols.shape[1]
        x = self.embedding(symbols)
        for block in self.blocks:
            x = block(x, self.cosine[:length], self.sine[:length])
        return fn.linear(fn.rms_norm(x, (x.shape[-1],), self.last, _EPSILON), self.embedding.weight)


def _turn(part: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate halves of each head by the angle of its position."""
    a, b = part.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)
