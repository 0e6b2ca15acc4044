"""Meaning: signals, embeddings, clusters, duplicates, operators, recipes, plans, evaluation."""

from pathlib import Path

from tamis.analytics.text.kernel_cache import use_kernel_cache

# Numba decides where a kernel's code is kept when the kernel is decorated: this package comes before all of them.
use_kernel_cache(Path(__file__).parent)
