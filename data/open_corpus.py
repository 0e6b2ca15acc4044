"""Opening a corpus: files, folders and globs become one ``Corpus``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from tamis.data.corpus import Corpus, needed_text
from tamis.data.errors import CorpusError
from tamis.data.find_shape import reads_sessions
from tamis.data.label_names import agreed_labels
from tamis.data.opening import LeftOut, OnBad, OpenedFile, open_files, sample_values, with_way_out
from tamis.data.path_columns import ORIGINS, PathColumns
from tamis.data.paths import path_of
from tamis.data.picture_source import with_named_pictures
from tamis.data.progress import NullProgress, Progress
from tamis.data.roles import find_roles
from tamis.data.schema import union
from tamis.data.source_files import fingerprint_of, left_out_notes, source_file, text_fingerprint_of


def open_corpus(
    path: str | Path,
    *,
    roles: Mapping[str, str] | None = None,
    on_bad_file: OnBad = "fail",
    on_bad_line: OnBad = "fail",
    path_columns: PathColumns | Sequence[str] = "found",
    by_hand: Collection[str] | None = None,
    probes: Path | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """Open a file, a folder with sub-folders, or a glob; formats may be mixed (see ``docs/data.md``).

    Args:
        path: what to open; files whose name begins with a dot or an underscore are left out of folders.
        roles: columns by role (text, id, source, language, label); the others are detected by name and type.
        by_hand: which of these roles a person chose; by default all that have a column.
        on_bad_file: ``fail`` raises for the first bad file; ``skip`` reads every file completely, leaves bad files
            out and reports them in ``notes`` and ``left_out``.
        on_bad_line: the same for lines of JSON Lines and CSV that cannot be read.
        path_columns: ``found`` reads the partitions that folders name (``lang=en``) and, where files belong to several
            splits, ``split``; ``all`` adds ``file``; a list of names reads only those.
        probes: folder that caches the probe of each file by its content, such as ``Workspace.probes``.
        progress: advanced by bytes; checked for cancellation between files.

    Raises:
        CorpusError: nothing to open, a bad file, no rows.
        RoleError: no text column, or a role that does not fit.
    """
    wanted: PathColumns = path_columns if path_columns in ("found", "all") else tuple(path_columns)
    if wanted == "found" and set(ORIGINS) & set((roles or {}).values()):
        wanted = "all"
    opening = open_files(
        path,
        on_bad_file=on_bad_file,
        on_bad_line=on_bad_line,
        path_columns=wanted,
        probes=probes,
        progress=progress or NullProgress(),
        sessions=reads_sessions((roles or {}).get("text")),
    )
    schema, _ = union({item.name: item.schema for item in opening.files})
    picked = find_roles(schema, roles, samples=partial(sample_values, opening.files))
    left_out, sound = list(opening.left_out), []
    for item in opening.files:
        try:
            item.check_text(needed_text(picked))
        except CorpusError as error:
            if on_bad_file == "fail":
                raise with_way_out(error, len(opening.files)) from error
            left_out = [LeftOut(item.name, None, str(error)), *(each for each in left_out if each.file != item.name)]
            continue
        sound.append(item)
    if not any(item.probe.rows for item in sound):
        raise CorpusError("The corpus has no rows", value=str(path), allowed="at least one row with text")
    schema, differences = union({item.name: item.schema for item in sound})
    files = tuple(map(source_file, sound))
    chosen = [role for role, column in (roles or {}).items() if column]
    labels, disagreeing = agreed_labels({i.name: (i.probe.labels, frozenset(i.probe.schema.names)) for i in sound})
    corpus = Corpus(
        root=opening.root,
        name=(Path(path).stem.split(".")[0] if len(files) == 1 else Path(opening.root).name) or "corpus",
        files=files,
        schema=schema,
        roles=picked,
        rows=sum(file.rows for file in files),
        notes=(*opening.notes, *left_out_notes(left_out), *differences, *disagreeing),
        path=str(Path(path).expanduser().absolute()),
        on_bad_file=on_bad_file,
        on_bad_line=on_bad_line,
        left_out=tuple(left_out),
        labels={path_of(schema, (column,)): names for column, names in labels.items()},
        uuids=_uuids(sound),
        by_hand=frozenset(chosen if by_hand is None else by_hand),
        _opened=tuple(sound),
        fingerprint=fingerprint_of(files, picked),
        text_fingerprint=text_fingerprint_of(files, picked),
    )
    return with_named_pictures(corpus, probes, (progress or NullProgress()).check)


def _uuids(files: Sequence[OpenedFile]) -> frozenset[str]:
    other = {name for file in files for name in {*file.probe.schema.names} - {*file.probe.uuids}}
    return frozenset(name for file in files for name in file.probe.uuids if name not in other)
