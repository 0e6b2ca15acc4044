"""Options for tokens, embeddings, map and clusters of a corpus, stored in the workspace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

from tamis.analytics.embedding.own_vectors import column_vectors_step, file_vectors_step, given_map_step
from tamis.analytics.embedding.static_model import MINILM
from tamis.analytics.embedding.step import embeddings_step, picture_embeddings_step, precise_estimate
from tamis.analytics.embedding.tuned_step import tuned_model_step
from tamis.analytics.map.cluster_edits import ClusterEdit
from tamis.analytics.map.cluster_steps import clusters_step, concepts_step, edited_clusters_step
from tamis.analytics.map.clusterings import CLUSTERINGS, HDBSCAN, Fineness
from tamis.analytics.map.density_clusters import Noise
from tamis.analytics.map.layout import Optimiser
from tamis.analytics.map.placed_steps import placed_steps
from tamis.analytics.map.steps import knn_step, map_step
from tamis.analytics.signals.token_counter import BYTES
from tamis.analytics.steps.scopes import scoped_in_place
from tamis.analytics.steps.step import Size, StepSpec
from tamis.data.corpus import Corpus
from tamis.data.corpus_states import CorpusStates, EarlierMap
from tamis.data.errors import SettingError
from tamis.data.parquet import write_bytes
from tamis.data.parts import SCOPES, WHOLE
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE
from tamis.data.workspace import Workspace

PRECISE_SECONDS = 300.0
"""The precise tier is the default as long as its estimate stays below this."""

NEW_DOCUMENTS = ("rebuilt", "placed")
TIERS = ("auto", "fast", "tuned", "precise", "given")


@dataclass(frozen=True)
class MapOptions:
    """Options for tokens, embeddings, map and clusters; the defaults suit most corpora.

    Attributes:
        tier: ``auto`` takes ``precise`` while it is estimated to take less than five minutes, else ``tuned``.
        model: of the precise tier: ``all-MiniLM-L6-v2``, a folder, or a name in the local Hugging Face cache.
        vectors: of the tier ``given``: a column of lists, or the path of an npy file or of a folder of them.
        x, y: columns of numbers to take the map from; empty lays the map out.
        neighbours: nearest neighbours kept for each document.
        optimiser: ``synchronous`` or ``umap-learn``.
        clustering: ``hdbscan``, ``k-means`` or another name in ``clusterings.CLUSTERINGS``.
        min_cluster_size: fewest documents of a cluster (k-means: documents on average); None lets the method choose.
        noise: ``leave`` or ``vote``, for documents in no cluster.
        concepts: number of k-means concepts; None for about the square root of the number of documents.
        seed: of everything random.
        edits: edits of the clusters, in order.
        tokenizer: the tokenizer that counts tokens; see ``token_counter.tokenizer_path``.
        scope: the part of conversations that is embedded, mapped and clustered, see ``data.parts.SCOPES``.
        placed_on: the earlier map on which new documents are placed; None draws the map of all documents. The other
            options are then those of that map, and ``edits`` those made since.
    """

    tier: str = "auto"
    model: str = MINILM
    vectors: str = ""
    x: str = ""
    y: str = ""
    neighbours: int = 15
    optimiser: Optimiser = "synchronous"
    clustering: str = HDBSCAN
    min_cluster_size: int | None = None
    noise: Noise = "leave"
    concepts: int | None = None
    seed: int = 0
    edits: tuple[ClusterEdit, ...] = ()
    tokenizer: str = BYTES
    scope: str = WHOLE
    placed_on: EarlierMap | None = None

    def __post_init__(self) -> None:
        if self.tier not in TIERS:
            raise SettingError("Unknown embedding tier", value=self.tier, allowed=TIERS)
        for name, least in (("neighbours", 2), ("min_cluster_size", 2), ("concepts", 1), ("seed", 0)):
            value = getattr(self, name)
            optional = value is None and name in ("min_cluster_size", "concepts")
            if not optional and (type(value) is not int or value < least):
                raise SettingError(f"Setting {name} of the map", value=value, allowed=f"whole numbers from {least} on")
        for name, allowed in (("optimiser", get_args(Optimiser)), ("noise", get_args(Noise))):
            if getattr(self, name) not in allowed:
                raise SettingError(f"Setting {name} of the map", value=getattr(self, name), allowed=allowed)
        if self.scope not in SCOPES:
            raise SettingError("Unknown scope of the map", value=self.scope, allowed=SCOPES)
        CLUSTERINGS.get(self.clustering)
        if (self.tier == "given") != bool(self.vectors):
            raise SettingError("The tier given and vectors belong together", value=self.vectors, allowed="both or none")
        if bool(self.x) != bool(self.y):
            raise SettingError("A map needs two columns", value=self.x or self.y, allowed="x and y, or none")

    @classmethod
    def of(cls, values: dict[str, Any]) -> MapOptions:
        """Return options from plain values.

        Raises:
            SettingError: an unknown name or a value that is not allowed.
        """
        values = {"scope" if name == "of" else name: value for name, value in values.items()}
        known = {field.name for field in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise SettingError("Unknown option of the map", value=sorted(unknown), allowed=known)
        edits = tuple(ClusterEdit.of(edit) for edit in values.get("edits", ()))
        placed_on = None if values.get("placed_on") is None else EarlierMap.of(values["placed_on"])
        return replace(cls(), **(values | {"edits": edits, "placed_on": placed_on}))

    @property
    def plain(self) -> dict[str, Any]:
        """Return the options as plain values."""
        plain = asdict(self) | {"edits": [edit.plain for edit in self.edits]}
        if self.placed_on is None:
            del plain["placed_on"]
        return plain


def read_options(workspace: Workspace, corpus: Corpus) -> MapOptions:
    """Return the options chosen for a corpus, or the defaults.

    Raises:
        SettingError: the stored options are damaged.
    """
    return _read(_path(workspace, corpus.text_fingerprint))


def _read(path: Path) -> MapOptions:
    if not path.is_file():
        return MapOptions()
    try:
        return MapOptions.of(json.loads(path.read_bytes()))
    except (ValueError, TypeError, KeyError) as error:
        raise SettingError(f"Cannot read {path}", fix="remove it; the defaults are then used") from error


def write_options(workspace: Workspace, corpus: Corpus, options: MapOptions) -> None:
    """Store the options of a corpus for the next analysis; existing results are kept."""
    data = json.dumps(options.plain, indent=1, sort_keys=True).encode() + b"\n"
    path = _path(workspace, corpus.text_fingerprint)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


def change_options(workspace: Workspace, corpus: Corpus, size: Size, changes: Mapping[str, Any]) -> None:
    """Store changed options of a corpus after checking that they fit it; without changes nothing is written.

    Args:
        workspace: keeps the options.
        corpus: the corpus.
        size: of the corpus.
        changes: options by name, and ``new_documents``, see ``with_new_documents``.

    Raises:
        SettingError, RoleError: an option is unknown, or does not fit the corpus.
    """
    if not changes:
        return
    changed, options = _from_anywhere(changes, corpus), read_options(workspace, corpus)
    if "new_documents" in changed:
        options = with_new_documents(workspace, corpus, options, str(changed.pop("new_documents")))
    differ = {name for name, value in changed.items() if options.plain.get(name) != value} - {"tokenizer"}
    if options.placed_on is not None and differ:
        raise SettingError(
            f"New documents are placed on the map of {options.placed_on.date}, which keeps its options",
            value=sorted(differ), fix="rebuild the map with other options: --new-documents rebuilt",
        )  # fmt: skip
    options = MapOptions.of(options.plain | changed)
    mapping_steps(corpus, size, options)
    write_options(workspace, corpus, options)


def _from_anywhere(changes: Mapping[str, Any], corpus: Corpus) -> dict[str, Any]:
    """Return options whose paths are absolute: the analysis runs in another folder."""
    changed = dict(changes)
    names = [name for name in ("model", "vectors") if changed.get(name)]
    for name in names:
        path = Path(changed[name]).expanduser()
        if path.exists() and (name == "model" or type_at(corpus.schema, changed[name]) is None):
            changed[name] = str(path.resolve())
    return changed


def _path(workspace: Workspace, corpus: str) -> Path:
    return workspace.root / "options" / f"{corpus}.json"


def with_new_documents(workspace: Workspace, corpus: Corpus, options: MapOptions, how: str) -> MapOptions:
    """Return options of a corpus that grew: new documents are ``placed`` on its earlier map, or it is ``rebuilt``.

    Raises:
        SettingError: another word, or there is no earlier map on which documents can be placed.
    """
    if how not in NEW_DOCUMENTS:
        raise SettingError("What becomes of new documents", value=how, allowed=NEW_DOCUMENTS)
    if (how == "placed") == (options.placed_on is not None):
        return options
    if how == "rebuilt":
        return replace(options, placed_on=None, edits=())
    on = CorpusStates.of(workspace.root, corpus).map_before(corpus)
    if on is None:
        raise SettingError(
            "There is no earlier map of this corpus in the workspace", value=corpus.path,
            fix="analyse it without this option; the next time it has grown, new documents can be placed",
        )  # fmt: skip
    before = _read(_path(workspace, on.corpus))
    if on.tier == "given" or before.x:
        raise SettingError(
            "New documents cannot be placed on a map of your own vectors or coordinates",
            value=before.vectors or before.x, allowed="rebuilt",
        )  # fmt: skip
    if on.tier == "precise" and on.ids != "text":
        raise SettingError(
            "New documents cannot be placed: precise vectors differ from run to run of other documents, and ids of a "
            "column do not tell which texts are unchanged",
            value=on.tier, allowed="rebuilt; placed with ids made of texts, or with the tier fast or tuned",
        )  # fmt: skip
    return replace(before, tokenizer=options.tokenizer, edits=(), placed_on=on)


def chosen_tier(size: Size, options: MapOptions) -> str:
    """Return the tier that ``auto`` stands for on a corpus of this size."""
    if options.tier != "auto":
        return options.tier
    return "precise" if precise_estimate(size).seconds < PRECISE_SECONDS else "tuned"


def mapping_steps(corpus: Corpus, size: Size, options: MapOptions) -> tuple[StepSpec, ...]:
    """Return the steps from embeddings to named clusters.

    Args:
        corpus: the corpus.
        size: of the corpus.
        options: its options.

    Raises:
        SettingError, RoleError: an option does not fit the corpus.
    """
    if options.scope != WHOLE:
        # Says so when the corpus has no such parts.
        corpus.in_scope(options.scope)
        plain = mapping_steps(corpus, size, replace(options, scope=WHOLE))
        return tuple(scoped_in_place(step, options.scope) for step in plain)
    # Pictures without captions have no language.
    spoken, pictures = corpus.shape.has_texts, corpus.shape.kind == PICTURE
    edited = (
        (edited_clusters_step(options.edits, seed=options.seed, languages=spoken, pictures=pictures),)
        if options.edits
        else ()
    )
    if options.placed_on is not None:
        return (*placed_steps(options.placed_on), *edited)
    laid_out = (
        given_map_step(corpus, options.x, options.y)
        if options.x
        else map_step(seed=options.seed, optimiser=options.optimiser)
    )
    return (
        *_embedding(corpus, size, options),
        knn_step(k=options.neighbours, seed=options.seed),
        laid_out,
        clusters_step(
            options.clustering,
            fineness=Fineness(options.min_cluster_size, seed=options.seed),
            noise=options.noise,
            languages=spoken,
            pictures=pictures,
        ),
        *edited,
        concepts_step(k=options.concepts, seed=options.seed, languages=spoken, pictures=pictures),
    )


def _embedding(corpus: Corpus, size: Size, options: MapOptions) -> tuple[StepSpec, ...]:
    if corpus.shape.kind == PICTURE and options.tier != "given":
        tier = "fast" if options.tier == "auto" else options.tier
        return (picture_embeddings_step(tier, model=options.model),)
    tier = chosen_tier(size, options)
    if tier == "tuned":
        return tuned_model_step(seed=options.seed), embeddings_step("tuned")
    if tier != "given":
        return (embeddings_step(tier, model=options.model),)
    if type_at(corpus.schema, options.vectors) is not None:
        return (column_vectors_step(corpus, options.vectors),)
    return (file_vectors_step(corpus, options.vectors),)
