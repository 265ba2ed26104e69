"""``brainsegaccel bench``: models and backends on one case, beside networks of others."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..resources import DEFAULT_MODEL
from .options import Asked, takes_options

if TYPE_CHECKING:
    from ..benchmark.bench import Combination, Request
    from .services import Services

NAME = "benchmarks"


@takes_options(without=["model", "engine", "iterations", "verify"], files=False)
def bench(
    context: typer.Context,
    asked: Asked,
    output: Annotated[
        Path,
        typer.Option(help=f"Folder for {NAME}.json, {NAME}.md and {NAME}.png; made if need be."),
    ],
    case: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of a case (default: the synthetic one)."),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help="Shipped models (brainsegaccel info lists them), .card.json files or their "
            "folders.",
        ),
    ] = DEFAULT_MODEL,
    backends: Annotated[
        str, typer.Option(metavar="A,B,…", help="Backends, or all that run here.")
    ] = "all",
    precisions: Annotated[
        str, typer.Option(metavar="A,B,…", help="Precisions, or all that run here.")
    ] = "all",
    device: Annotated[str, typer.Option(help="cpu, cuda, coreml or directml.")] = "cpu",
    peers: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help="Networks of others to time beside ours (needs the train extra): segresnet, "
            "dynunet, swinunetr, mambaunet, all or none.",
        ),
    ] = "none",
    iterations: Annotated[int, typer.Option(help="Timed iterations of each, 20 or more.")] = 20,
) -> None:
    """Measure models, backends and precisions on one case, all taking turns.

    Model only and end to end, cold start, memory, engine build, and what each loses in quality
    against FP32. Every row of the JSON holds a whole manifest.
    """
    from ..benchmark.bench import Request
    from ..resources import resource

    request = Request(
        case=case or resource("SampleData", "phantom"),
        combinations=_combinations(model, backends, precisions, device),
        device=device,
        options=asked.options,
        peers=_peers(peers),
        iterations=iterations,
    )
    for file in _bench(request, output, context.obj):
        print(file)


def _bench(request: Request, output: Path, services: Services) -> list[Path]:
    """Measure, and write the report into a folder."""
    from ..benchmark.bench import run_bench
    from ..benchmark.page import TIMES, dots, to_markdown
    from ..reporting.files import write_report
    from ..reporting.plot import draw_times
    from .folder import ready_folder
    from .progress import progress_on_stderr

    with ready_folder(output), progress_on_stderr() as progress:
        report = run_bench(request, services.make_pipeline, progress)
        page = to_markdown(report, f"{NAME}.png")
        draw = partial(draw_times, dots(report), TIMES)
        return write_report(report, page, output / NAME, draw)


def _combinations(
    models: str, backends: str, precisions: str, device: str
) -> tuple[Combination, ...]:
    """Return what was named; of ``all``, what runs here.

    :raises InputError: an unknown backend, precision or device.
    """
    from ..backends.choice import EngineChoice
    from ..backends.registry import backends as known
    from ..backends.registry import require
    from ..benchmark.bench import Combination
    from ..settings import checked

    devices = checked(EngineChoice, {"device": device}).devices
    names = list(known()) if backends == "all" else backends.split(",")
    found = []
    for text in ("auto",) if precisions == "all" else precisions.split(","):
        for precision in checked(EngineChoice, {"precision": text}).precisions:
            for name in names:
                if name not in known():
                    require(name, devices[0], precision)
                runs = any(known()[name].availability(each, precision).ok for each in devices)
                if runs or "all" not in (backends, precisions):
                    found.append((name, str(precision)))
    return tuple(Combination(model, *each) for model in models.split(",") for each in found)


def _peers(names: str) -> tuple[str, ...]:
    """Return the peers that were named.

    :raises InputError: there is none of that name.
    """
    if names == "none":
        return ()
    from ..errors import InputError
    from .extras import needs

    with needs("train"):
        if not find_spec("monai"):
            raise ModuleNotFoundError(name="monai")
    from ..benchmark.peer_process import PEER_NAMES

    chosen = PEER_NAMES if names == "all" else tuple(names.split(","))
    unknown = [name for name in chosen if name not in PEER_NAMES]
    if unknown:
        raise InputError(
            f"unknown network {unknown[0]!r}",
            where="--peers",
            remedy=f"use {', '.join(PEER_NAMES)}, all or none",
        )
    return chosen
