"""The command that fits the mixture of domains to a target."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tamis.analytics.effect.proxy_agreement import NGRAM
from tamis.app.cli.progress import watch
from tamis.app.cli.terminal import CorpusPath, app, err, out, read_text
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

if TYPE_CHECKING:
    from tamis.analytics.effect.mixture_fit import MixtureFit


@app.command("mixture-fit")
def mixture_fit(
    path: CorpusPath,
    target: Annotated[Path, typer.Option("--target", help="Texts of the domain that the model is for.")],
    tokens: Annotated[int, typer.Option(min=1, help="The token budget of the mixture.")],
    by: Annotated[str, typer.Option(help="The column whose groups are mixed: source, cluster, lang ...")] = "source",
    tiers: Annotated[
        int | None, typer.Option(min=2, max=10, help="Cut every group into tiers of quality.", show_default=False)
    ] = None,
    quality: Annotated[str | None, typer.Option(help="The score of the tiers.", show_default=False)] = None,
    max_copies: Annotated[int, typer.Option(min=1, max=100, help="How often a document may be repeated.")] = 4,
    trials: Annotated[
        int, typer.Option(min=0, help="Mixtures to try; 0 for 16, or 5 for each domain where that is more.")
    ] = 0,
    pull: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Pull to the natural mixture, in bits for a nat of KL; absent: the one whose optimum trains best.",
            show_default=False,
        ),
    ] = None,
    earlier: Annotated[
        str, typer.Option(help="Digest of an earlier fit: its mixture stays and is one domain beside new ones.")
    ] = "",
    proxy: Annotated[str, typer.Option(help="What measures a mixture: n-gram, or the size of a transformer.")] = NGRAM,
    read: Annotated[int, typer.Option(min=1, help="Bytes that every transformer reads.")] = 400_000,
    recipe: Annotated[
        Path | None, typer.Option(help="Add the rule to this recipe.yaml, in the written one.", show_default=False)
    ] = None,
    written: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the recipe with the mixture here.", show_default=False)
    ] = None,
) -> None:
    """Find the mixture of sources, clusters or tiers at which a small model needs the fewest bits for a target.

    It runs in the background and is shown on the page Recipe; no model is trained twice, also after it was stopped.
    """
    # Late: duckdb, numba and sqlglot.
    from tamis.analytics.effect.bench import Protocol
    from tamis.analytics.effect.mixture_fit import FitParams
    from tamis.analytics.effect.mixture_swarm import DomainParams
    from tamis.analytics.effect.proxy_plan import LANES, ProxyPlan
    from tamis.analytics.effect.target import import_target
    from tamis.analytics.recipe.recipe import Recipe
    from tamis.app.jobs.mixture import read_mixture, start_mixture

    workspace = Workspace.default()
    start = Recipe.from_yaml(read_text(recipe)) if recipe is not None else Recipe(title="A fitted mixture")
    params = FitParams(
        DomainParams(by, tiers, quality),
        tokens=tokens,
        max_copies=max_copies,
        trials=trials,
        pull=pull,
        earlier=earlier,
    )
    plan = None if proxy == NGRAM else ProxyPlan(proxy, read, 1, ())
    corpus = open_corpus(path, probes=workspace.probes)
    entry = import_target(workspace, target)
    if plan is not None:
        models = params.count(2, Protocol().draws)
        about = f"about {math.ceil(models * plan.model_seconds / LANES / 60)} min on two processors"
        more = "" if params.trials else f"; from 4 domains on {models - 16} models and 5 for each"
        err.print(f"  {models} models of {plan.size}, {about}{more}", markup=False)
    job = watch(err, start_mixture(corpus, workspace, entry.name, params, proxy=plan))
    found, digest = read_mixture(workspace, job)
    _say(found, digest)
    if written is not None:
        write_bytes(written, start.with_operator(found.operator(), note=f"mixture for {entry.name}").to_yaml().encode())
        out.print(f"wrote {written}", markup=False)


def _say(found: MixtureFit, digest: str) -> None:
    """Print the shares, what is predicted, how sure it is, and what was measured."""
    width = max(len(name) for name in found.names)
    out.print(f"{'domain':<{width}}  natural   fitted", markup=False)
    for name, natural, fitted in zip(found.names, found.natural, found.weights, strict=True):
        out.print(f"{name:<{width}}  {natural:7.1%}  {fitted:7.1%}", markup=False)
    at = found.predict(found.weights)
    out.print(
        f"predicted: {at.bits:.4f} bits per byte ({at.low:.4f} to {at.high:.4f}); {len(found.trials)} trials of"
        f" {found.budget_bytes:,} bytes by {found.proxy}; cross-validated error {found.error:.4f}, rank correlation"
        f" {found.rank:.2f}",
        markup=False,
    )
    for difference in found.differences:
        out.print(f"  {difference.sentence}", markup=False)
    out.print(f"fit {digest}", markup=False)
