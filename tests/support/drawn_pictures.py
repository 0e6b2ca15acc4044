"""A corpus of small drawn pictures with captions, labels and a given map: shapes of a colour lie in one group."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageEnhance

from tamis.analytics.duplicates.image_exact import picture_exact_step
from tamis.analytics.embedding.own_vectors import given_map_step
from tamis.analytics.signals.pictures_step import pictures_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.study import Study
from tamis.app.dashboard import open_corpus as library
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace

COLOURS = {"red": (200, 40, 40), "green": (40, 150, 70), "blue": (40, 80, 200), "yellow": (220, 190, 40)}
SHAPES = ("circle", "square", "triangle")
GROUPS = [(colour, shape) for colour in COLOURS for shape in SHAPES]
SPREAD = 0.5
BROKEN = (
    b"",
    b"\x89PNG\r\n\x1a\n cut short",
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
)
FILES = 4
SERVER = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from drawn_pictures import serve; serve()
"""


def draw_picture(group: int, draw: np.random.Generator, *, side: int = 72) -> Image.Image:
    """Return a shape of a group's colour, somewhere on a plain background."""
    colour, shape = GROUPS[group]
    picture = Image.new("RGB", (side, int(side * draw.uniform(0.7, 1.3))), tuple(draw.integers(200, 256, 3).tolist()))
    pencil = ImageDraw.Draw(picture)
    reach = side * draw.uniform(0.2, 0.32)
    x, y = draw.uniform(reach, picture.width - reach), draw.uniform(reach, picture.height - reach)
    box = (x - reach, y - reach, x + reach, y + reach)
    if shape == "circle":
        pencil.ellipse(box, fill=COLOURS[colour])
    elif shape == "square":
        pencil.rectangle(box, fill=COLOURS[colour])
    else:
        pencil.polygon(((x, box[1]), (box[0], box[3]), (box[2], box[3])), fill=COLOURS[colour])
    for _ in range(9):
        (left, top), (right, bottom) = draw.uniform(0, side, (2, 2)).tolist()
        pencil.line((left, top, right, bottom), fill=tuple(draw.integers(0, 256, 3).tolist()), width=3)
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **settings: int) -> bytes:
    """Return the bytes of a picture."""
    buffer = BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()


def write_pictures(folder: Path, n: int, *, twins: int = 0, side: int = 72, captions: bool = True) -> Path:
    """Write ``n`` pictures, edited copies of the first ``twins`` of them, and three rows that are no pictures.

    Columns: image (bytes and path, as ``datasets`` writes it), caption (missing for every tenth), label (the shape),
    source (the colour), x and y.

    Args:
        folder: where; it must not exist.
        n: number of pictures.
        twins: number of copies; each is brighter, smaller and encoded as JPEG.
        side: pixels.
        captions: whether there is the column of captions.
    """
    draw = np.random.default_rng(0)
    group = draw.integers(0, len(GROUPS), n)
    centres = draw.uniform(-10, 10, (len(GROUPS), 2))
    places = (centres[group] + draw.normal(size=(n, 2)) * SPREAD).astype(np.float32)
    pictures = [draw_picture(int(each), draw, side=side) for each in group]
    rows = [
        {
            "image": {"bytes": encoded(picture), "path": f"{number}.png"},
            "caption": None if number % 10 == 9 else f"a {' '.join(GROUPS[each])}, number {number}",
            "label": GROUPS[each][1],
            "source": GROUPS[each][0],
            "x": place[0],
            "y": place[1],
        }
        for number, (picture, each, place) in enumerate(zip(pictures, group, places.tolist(), strict=True))
    ]
    for number in range(twins):
        smaller = pictures[number].resize([7 * each // 8 for each in pictures[number].size])
        raw = encoded(ImageEnhance.Brightness(smaller).enhance(0.96), "JPEG", quality=88)
        rows.append({**rows[number], "image": {"bytes": raw, "path": f"{number}.jpg"}, "caption": f"copy of {number}"})
    rows += [{**rows[0], "image": {"bytes": raw, "path": "broken.png"}, "caption": "broken"} for raw in BROKEN]
    folder.mkdir(parents=True)
    size = -(-len(rows) // FILES)
    for number in range(FILES):
        table = pa.Table.from_pylist(rows[number * size : (number + 1) * size])
        table = table if captions else table.drop_columns(["caption"])
        pq.write_table(table, folder / f"part-{number}.parquet")
    return folder


def pictures_only(corpus: Corpus, workspace: Workspace) -> tuple[StepSpec, ...]:
    """Return the steps of an analysis of pictures that ends at a given map: no vectors, no clusters."""
    steps = (
        pictures_step(corpus), documents_step(corpus), columns_step(corpus), picture_exact_step(),
        *((tokens_step(),) if "caption" in corpus.shape.columns else ()), given_map_step(corpus, "x", "y"),
    )  # fmt: skip
    return (*steps, facts_step(steps))


def analyse_pictures(folder: Path, home: Path, name: str) -> Study:
    """Analyse a corpus of pictures up to its map, register it in the workspace and return it."""
    workspace = Workspace(home)
    corpus = open_corpus(folder, probes=workspace.probes)
    found = Study.open(corpus, workspace, steps=pictures_only(corpus, workspace))
    workspace.remember(CorpusEntry(name, str(folder), fingerprint=corpus.fingerprint))
    return found


def serve() -> None:
    """Run the command line with an analysis that ends at the map."""
    from tamis.app.cli.main import main

    library.analysis_steps = library.steps_on_screen = pictures_only
    main()
