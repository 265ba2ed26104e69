"""``brainsegaccel cache``: the engines that were built on this machine, and their removal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer

cache = typer.Typer(help="Engines that were built here and are kept: list, clear.")


@cache.command("list")
def list_entries(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the engines, the most recently used first."""
    from ..backends.cache import EngineCache, size_limit

    engines = EngineCache()
    entries = engines.entries()
    if as_json:
        rows = [
            {"file": e.path.name, "bytes": e.size, "used": e.used, "key": dict(e.key)}
            for e in entries
        ]
        print(json.dumps({"folder": str(engines.folder), "engines": rows}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("engine", "version", "precision", "shape", "MB", "last used")
    for entry in entries:
        shape = entry.key.get("shape")
        table.add_row(
            str(entry.key.get("backend", entry.path.name)),
            str(entry.key.get("backend_version", "damaged")),
            str(entry.key.get("precision", "")),
            "x".join(str(n) for n in shape) if isinstance(shape, list) else "",
            f"{entry.size / 1e6:.1f}",
            datetime.fromtimestamp(entry.used).isoformat(" ", "seconds"),
        )
    console = Console(highlight=False)
    if entries:
        console.print(table)
    total = sum(entry.size for entry in entries)
    console.print(
        f"{len(entries)} engines, {total / 1e6:.1f} of {size_limit() / 1e6:.0f} MB, "
        f"in {engines.folder}",
        soft_wrap=True,
        markup=False,
    )


@cache.command("clear")
def clear() -> None:
    """Remove all engines, and what auto has measured here."""
    from ..backends.cache import EngineCache

    print(f"{EngineCache().clear() / 1e6:.1f} MB freed")
