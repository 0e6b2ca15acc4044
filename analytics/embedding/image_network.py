"""EfficientNet-Lite0 without its classifier, as plain convolutions on the processor.

Every batch normalisation is folded into the convolution before it. One thread computes one batch, and all batches have
the same size, so the features of a picture depend on the picture only.

Source: Tan and Le 2019, arXiv 1905.11946 (the architecture); the Lite variants leave out squeeze and excitation and
use ReLU6 (github.com/tensorflow/tpu, models/official/efficientnet/lite).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

SIZE = 224
"""Rows and columns of the input."""
FEATURES = 1280
BATCH = 8
"""Pictures per pass: of 1 to 64, most pictures a second."""
_BLOCKS = (
    # repeats, kernel, stride, expansion, channels in, channels out
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_EPSILON = 1e-3


@dataclass(frozen=True, eq=False)
class _Layer:
    """A convolution with what follows it.

    Attributes:
        weight, bias: tensors, normalisation included.
        stride: 1 or 2.
        groups: 1, or the number of channels where each is convolved by itself.
        bounded: whether values are cut to [0, 6].
    """

    weight: Any
    bias: Any
    stride: int
    groups: int
    bounded: bool


class FeatureNetwork:
    """The network up to its pooled features."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], *, dtype: str = "float32") -> None:
        """Build the network.

        Args:
            weights: arrays by their names in the published model.
            dtype: ``float32`` or ``bfloat16``, in which it computes.
        """
        # Late: torch.
        import torch

        self._torch, self._dtype = torch, getattr(torch, dtype)
        self._weights = weights
        self._stem = self._layer("_conv_stem", "_bn0", stride=2, bounded=True)
        self._blocks = list(self._all_blocks())
        self._head = self._layer("_conv_head", "_bn1", bounded=True)
        del self._weights

    def features(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the features of at most ``BATCH`` pictures, float32 (n, 1280), means over all places.

        Args:
            pictures: float32 (n, 224, 224, 3), red, green and blue as (value - 127) / 128.
        """
        torch = self._torch
        batch = np.zeros((BATCH, SIZE, SIZE, 3), dtype=np.float32)
        batch[: len(pictures)] = pictures
        with torch.inference_mode():
            # Channels last already, as the view of an array whose last axis they are.
            made = self._pooled(torch.from_numpy(batch).permute(0, 3, 1, 2).to(self._dtype))
        return np.asarray(made.numpy()[: len(pictures)])

    def _pooled(self, x: Any) -> Any:
        x = self._apply(self._stem, x)
        for layers, skips in self._blocks:
            before = x
            for layer in layers:
                x = self._apply(layer, x)
            x = x + before if skips else x
        return self._apply(self._head, x).float().mean((2, 3))

    def _apply(self, layer: _Layer, x: Any) -> Any:
        convolve, kernel = self._torch.nn.functional, layer.weight.shape[2]
        padding = kernel // 2
        if layer.stride == 2:
            # As TensorFlow pads: an odd row or column is added at the end.
            more = max(0, ((x.shape[2] + 1) // 2 - 1) * 2 + kernel - x.shape[2])
            x, padding = convolve.pad(x, (more // 2, more - more // 2) * 2), 0
        x = convolve.conv2d(x, layer.weight, layer.bias, layer.stride, padding, 1, layer.groups)
        return convolve.hardtanh_(x, 0.0, 6.0) if layer.bounded else x

    def _all_blocks(self) -> Any:
        """Yield the layers of each block, and whether its input is added to its output."""
        number = 0
        for repeats, _, stride, expansion, channels, out in _BLOCKS:
            for place in range(repeats):
                inside, step = (channels, stride) if place == 0 else (out, 1)
                name, wide = f"_blocks.{number}.", inside * expansion
                layers = [self._layer(f"{name}_expand_conv", f"{name}_bn0", bounded=True)] if expansion > 1 else []
                layers += [
                    self._layer(f"{name}_depthwise_conv", f"{name}_bn1", stride=step, groups=wide, bounded=True),
                    self._layer(f"{name}_project_conv", f"{name}_bn2"),
                ]
                yield layers, step == 1 and inside == out
                number += 1

    def _layer(self, conv: str, norm: str, *, stride: int = 1, groups: int = 1, bounded: bool = False) -> _Layer:
        mean, variance, scale, shift = (
            self._weights[f"{norm}.{name}"].astype(np.float64)
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        gain = scale / np.sqrt(variance + _EPSILON)
        weight = self._weights[f"{conv}.weight"] * gain[:, None, None, None]
        torch = self._torch
        made = torch.from_numpy(weight.astype(np.float32)).to(self._dtype)
        bias = torch.from_numpy((shift - mean * gain).astype(np.float32)).to(self._dtype)
        return _Layer(made.contiguous(memory_format=torch.channels_last), bias, stride, groups, bounded)


def use_one_thread() -> None:
    """Let operations of the calling thread use no other thread; those of other threads stay as they are.

    Threads that each compute a batch are faster than threads that share each of a hundred small operations, and what
    one thread computes does not depend on how many there are.
    """
    # Late: torch, which sets the number of a thread when the thread first asks for it.
    import torch

    torch.get_num_threads()
    for library in ThreadpoolController().select(user_api="openmp").lib_controllers:
        library.dynlib.omp_set_num_threads(1)
