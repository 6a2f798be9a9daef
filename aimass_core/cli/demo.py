"""``aimass demo``: the main commands on a generated shop, in under a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .evaluate import evaluate
from .recommend import recommend
from .similar import similar

__all__ = ["demo"]


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the files; made if missing.")
    ] = Path("aimass-demo"),
    interactions: Annotated[
        int, typer.Option("--interactions", metavar="N", help="Size of the generated shop.")
    ] = 300_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the shop.")] = 0,
) -> None:
    """Generate a shop, recommend to all of its customers, compare models, show neighbours."""
    from ..base.validation import as_int
    from ..data.datasets import make_store

    as_int(interactions, "--interactions", minimum=1_000)
    store = make_store(
        n_users=interactions // 30,
        n_items=min(20_000, interactions // 150 + 50),
        n_interactions=interactions,
        string_ids=True,
        random_state=seed,
    )
    store.write_parquet(folder)
    events, items = folder / "interactions.parquet", folder / "items.parquet"
    best = store.interactions["item_id"][0]
    out = folder / "recommendations.parquet"
    models = ["popularity", "item-knn", "item-knn:measure=rp3beta,alpha=0.6,beta=0.3", "user-knn"]

    typer.echo(f"{store!r} written to '{folder}'.")
    _command(f"recommend {events} --k 10 --out {out}")
    recommend(ratings=str(events), out=str(out))
    chosen = " ".join(f"--model {name}" for name in models)
    _command(f"evaluate {events} --time timestamp --split leave-last {chosen}")
    evaluate(ratings=str(events), model=models, time="timestamp", split="leave-last", seed=seed)
    _command(f"similar {events} {best} --items {items} --k 5")
    similar(words=[str(events), str(best)], items=str(items), k=5)


def _command(words: str) -> None:
    typer.echo(f"\n$ aimass {words}")
