"""Duplicates of pictures as rules: the same bytes or pixels, pictures that look alike, pictures of the same thing."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from tamis.analytics.duplicates.image_near import FLOOR, PictureParams
from tamis.analytics.duplicates.semantic import SemanticParams
from tamis.analytics.operators.duplicates import PairDedup
from tamis.analytics.operators.keep_policy import KeepingPictures
from tamis.analytics.operators.operator import OPERATORS, Decision, Group, Scope, View
from tamis.analytics.operators.sets import GroupDedup, Seed, Within


@OPERATORS.register
class ImageExactDedup(KeepingPictures, GroupDedup):
    """Keeps up to ``max_copies`` pictures of each group with the same pixels, or with the same bytes.

    The pixels are those after decoding and turning: a PNG and a lossless WebP of one picture are the same, a JPEG saved
    again is not.
    """

    name: ClassVar[str] = "image_exact_dedup"
    term: ClassVar[str] = "exact image deduplication"
    group: ClassVar[Group] = "Duplicates"
    scope: ClassVar[Scope] = "by_key"
    summary: ClassVar[str] = "Drops pictures that are the same as a kept one."
    source: ClassVar[str] = "Gadre et al. 2023, DataComp, arXiv 2304.14108 (deduplication of image and text pairs)"

    compare: Literal["pixels", "bytes"] = Field(
        "pixels", description="Compare pixels after decoding and turning, or the bytes of the files."
    )
    within: Within = None

    @property
    def group_column(self) -> str:
        """Return the facts column with the duplicate group."""
        return "norm_group" if self.compare == "pixels" else "text_group"

    @property
    def what(self) -> str:
        return self.compare


@OPERATORS.register
class ImageNearDedup(KeepingPictures, PairDedup):
    """Keeps up to ``max_copies`` of pictures that look alike: scaled, saved again, cut, padded, marked, lighter ones.

    Candidates have near perceptual hashes; each is laid on the other before it counts, see docs/duplicates.md. Pictures
    are taken in the order of the keep policy, ties by id, and one is dropped only when ``max_copies`` kept pictures are
    its direct matches; the most similar of them is named as its twin. Similarity above 0.6 is measured once, so a new
    threshold needs no new measurement.
    """

    name: ClassVar[str] = "image_near_dedup"
    term: ClassVar[str] = "near-duplicate image removal (perceptual hashing, verified)"
    group: ClassVar[Group] = "Duplicates"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Drops pictures that look nearly the same as a kept one."
    source: ClassVar[str] = (
        "Zauner 2010 (perceptual hashes); Lucas and Kanade 1981 (image registration); greedy star instead of connected"
        " components"
    )

    threshold: float = Field(0.8, ge=0.1, le=1, description="Smallest similarity at which a picture is a duplicate.")
    turned: bool = Field(False, description="Also find copies that were turned by quarters or mirrored.")
    within: Within = None

    @property
    def params(self) -> PictureParams:
        """Return how pictures are compared; thresholds from 0.6 up share one measurement."""
        floor = FLOOR if self.threshold >= FLOOR else math.floor(self.threshold * 10) / 10
        return PictureParams(self.turned, floor)

    @property
    def level(self) -> float:
        """Return the smallest similarity of duplicates."""
        return self.threshold

    def decide(self, view: View) -> Decision:
        shown = f"similarity of pictures >= {self.threshold:g}"
        return self.crowd(view, self.threshold).decision(view, self, shown)

    def sentence(self) -> str:
        per = f" within each {self.within}" if self.within else ""
        more = ", turned and mirrored ones included" if self.turned else ""
        return f"Keep {self.policy_sentence()} of the pictures that look {self.threshold * 100:g}% alike{per}{more}"


@OPERATORS.register
class ImageSemanticDedup(KeepingPictures, PairDedup):
    """Keeps up to ``max_copies`` of pictures whose vectors lie within ``eps`` of each other: the same thing seen again.

    The vectors are those of map and clusters, by the packaged model or a CLIP; captions do not count. They are compared
    exactly inside k-means clusters. Pictures are taken in the order of the keep policy, ties by id, and one is dropped
    only when ``max_copies`` kept pictures are within ``eps``; the closest of them is named as its twin. A larger eps
    drops more. Remove copies with ``image_near_dedup`` first.
    """

    name: ClassVar[str] = "image_semantic_dedup"
    term: ClassVar[str] = "semantic image deduplication (SemDeDup)"
    group: ClassVar[Group] = "Duplicates"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Drops pictures that show nearly the same as a kept one, by their vectors."
    source: ClassVar[str] = "Abbas et al. 2023, arXiv 2303.09540 (on pictures of LAION); greedy leader"
    warning: ClassVar[str | None] = "Cosines of another model mean something else: look at pairs before choosing eps."

    eps: float = Field(0.1, gt=0, le=0.5, description="Largest cosine distance of duplicates; larger drops more.")
    pictures_per_cluster: int = Field(500, ge=10, le=20_000, description="Pictures over clusters of k-means.")
    seed: Seed = 0
    within: Within = None

    @property
    def params(self) -> SemanticParams:
        """Return how closeness is measured; all eps up to 0.15 share one measurement."""
        floor = 0.85 if self.eps <= 0.15 else math.floor((1 - self.eps) * 10) / 10
        return SemanticParams("analysis", False, self.pictures_per_cluster, self.seed, floor)

    @property
    def level(self) -> float:
        """Return the smallest cosine of duplicates."""
        return 1 - self.eps

    def decide(self, view: View) -> Decision:
        return self.crowd(view, self.level).decision(view, self, f"cosine of pictures >= {self.level:g}")

    def sentence(self) -> str:
        per = f" within each {self.within}" if self.within else ""
        return f"Keep {self.policy_sentence()} of the pictures within cosine distance {self.eps:g}{per}"
