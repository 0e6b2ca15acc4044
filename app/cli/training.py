"""Commands that write training data and say where a sample of it comes from: prepare, trace."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tamis.app.cli.options import ReadingOptions, RoleOptions, Tokenizer, spread
from tamis.app.cli.progress import bar
from tamis.app.cli.terminal import CorpusPath, app, err, out, print_notes

if TYPE_CHECKING:
    from tamis.analytics.handover.prepare import PrepareEstimate
    from tamis.analytics.handover.prepared import Prepared
    from tamis.analytics.training.trace import TracedSample

TrainingFormat = Literal["datasets", "jsonl.zst", "mds", "litdata", "webdataset", "megatron", "lance"]


@app.command()
@spread
def prepare(
    bundle: Annotated[str, typer.Argument(help="Folder of a bundle, or a recipe.yaml.")],
    path: CorpusPath,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to make.")],
    format: Annotated[TrainingFormat, typer.Option("--as", help="Format of the training data.")],
    *,
    roles: RoleOptions,
    reading: ReadingOptions,
    tokenizer: Tokenizer = None,
    shard_mb: Annotated[int, typer.Option(help="Megabytes of content of a shard at most.")] = 256,
    license: Annotated[str, typer.Option(help="Licence of the data, an identifier of the hub.")] = "unknown",
    url: Annotated[str, typer.Option(help="Address of the data's page, for the catalogue entry.")] = "",
    engine: Annotated[Literal["local", "ray"], typer.Option(help="Where shards are measured.")] = "local",
    address: Annotated[str, typer.Option(help="Ray cluster, host:port; local starts one here.")] = "local",
) -> None:
    """Write what a trainer reads: the recipe's documents, split, repeated, packed and in batches, in seven formats."""
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.handover.prepare import PrepareOptions, prepare_bundle
    from tamis.analytics.steps.ray_engine import connect

    with (
        connect(address) if engine == "ray" else nullcontext() as cluster,
        bar(err) as progress,
    ):
        done = prepare_bundle(
            bundle, path, folder, PrepareOptions(format=format, shard_mb=shard_mb, license=license, url=url),
            roles=roles.chosen or None, tokenizer=tokenizer, engine=cluster, announce=_print_estimate,
            progress=progress, **reading.chosen,
        )  # fmt: skip
    _print_prepared(done)


def _print_estimate(expected: PrepareEstimate) -> None:
    for each in expected.splits:
        about = "" if each.exact else "about "
        parts = [
            f"{each.documents:,} documents, {each.items:,} with copies and epochs",
            f"{about}{each.samples:,} samples",
        ]
        if each.tokens:
            parts += [f"{about}{each.tokens:,} tokens", f"padding {each.padding:.2%}", f"{each.cut:,} cut"]
        err.print(f"  {each.split:<12} {', '.join(parts)}", markup=False)
    err.print(f"about to write {expected.bytes / 1e6:,.1f} MB in about {expected.seconds:,.0f} s", markup=False)


def _print_prepared(done: Prepared) -> None:
    print_notes(done.notes, where="prepare.json has all")
    for each in done.splits:
        tokens = f"  {each.tokens:>14,} tokens" if each.tokens else ""
        out.print(f"  {each.split:<12} {each.samples:>12,} samples{tokens}  {each.shards:>5,} shards", markup=False)
    out.print(f"content {done.content}")
    out.print(f"plan {done.plan}")
    if done.agrees is not None:
        out.print("agrees with the bundle's lock" if done.agrees else f"differs from the lock: {done.difference}")


@app.command()
def trace(
    folder: Annotated[Path, typer.Argument(help="Folder that tamis prepare made.")],
    shard: Annotated[str, typer.Argument(help="A file of it, or split and number such as train/0.")],
    sample: Annotated[int, typer.Argument(help="Number of the sample in the shard, from 0.")],
) -> None:
    """Say where a sample of training data comes from: documents, bytes, rules that let them in, how often they come."""
    # Late: duckdb and pyarrow.
    from tamis.analytics.training.trace import trace_sample

    _print_trace(trace_sample(folder, shard, sample))


def _print_trace(found: TracedSample) -> None:
    out.print(f"{found.file} sample {found.sample:,}: {found.split} {found.number:,}", markup=False)
    for number, piece in enumerate(found.pieces):
        tokens = f", tokens {piece.tokens[0]:,} to {piece.tokens[1]:,}" if piece.tokens[1] else ""
        out.print(
            f"  piece {number}: {piece.document}, bytes {piece.bytes[0]:,} to {piece.bytes[1]:,}{tokens},"
            f" copy {piece.copy}, epoch {piece.epoch}",
            markup=False,
        )
    for document in found.documents:
        times = ", ".join(f"{count:,} in {split}" for split, count in document.times.items())
        out.print(f"  {document.id}: copies {document.copies}; comes {times}", markup=False)
        for rule in document.rules:
            value = "" if rule.value is None else f": {rule.value}"
            asked = "" if rule.threshold is None else f" (asked for: {rule.threshold})"
            out.print(f"    {rule.step}: {rule.sentence}{value}{asked}", markup=False)
