"""Latency, parity, memory and share of a GPU's ceilings of every engine of PyTorch there.

    python Testing/benchmarks/gpu_engines.py --output DIR [--model full] [--backends eager inductor]
        [--peers segresnet dynunet]

Writes DIR/gpu-MODEL.json and DIR/gpu-MODEL.md. One whole-brain volume, a synthetic case with a
ring-enhancing tumour, goes through all engines and networks of others in turn, from FP32 input to
FP32 probabilities in host memory; what of that the GPU spent on kernels and on copies is told
apart, by PyTorch's profiler. Run it when the GPU is idle. Needs the train extra.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.backends.protocol import Device, Precision
from BrainSegAccelLib.backends.registry import require
from BrainSegAccelLib.benchmark.peers import make_peer
from BrainSegAccelLib.errors import BrainSegAccelError
from BrainSegAccelLib.io.atomic import atomic_write
from BrainSegAccelLib.metrics.dice import dice
from BrainSegAccelLib.metrics.latency import WARMUP, Samples, measure_interleaved
from BrainSegAccelLib.models.package import ModelPackage, load_package
from BrainSegAccelLib.synthesis.cases import CaseGenerator, Stripping
from BrainSegAccelLib.synthesis.lesions import CaseKind
from BrainSegAccelLib.synthesis.rng import Rng
from BrainSegAccelLib.system.hardware import probe_hardware
from BrainSegAccelLib.training.config import WHOLE_BRAIN, Stage
from BrainSegAccelLib.training.samples import Sample
from BrainSegAccelLib.training.tumour_samples import draw_sample
from numpy.typing import NDArray
from roofline import FORMATS, bandwidth, matrix_rate, work_of
from torch.profiler import ProfilerActivity, profile

BACKENDS = ("eager", "inductor")
PRECISIONS = (Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16)
ITERATIONS = 50
SEED = 20

Run = Callable[[], object]


def main() -> None:
    """Build, measure, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="full")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--peers", nargs="*", default=["segresnet", "dynunet"])
    options = parser.parse_args()
    package = load_package(options.model)
    case = CaseGenerator(1.0).generate(SEED, CaseKind.RING, Stripping.CLEAN)
    sample = draw_sample(Rng(SEED, torch.device("cpu")), case, Stage(steps=1), {"1111": 1.0})
    rows, engines, failed = built(package, options.backends, sample)
    peers = {name: make_peer(name, WHOLE_BRAIN, "cuda") for name in options.peers}
    samples = measure_interleaved(
        {**engines, **{name: peer.run for name, peer in peers.items()}}, ITERATIONS
    )
    ceilings = against_ceilings(rows, options.model)
    for row, name in zip(rows, engines, strict=True):
        row |= timing(samples[name])
    titles = {name: peer.title for name, peer in peers.items()}
    report = {
        "model": f"{package.card.name} {package.card.version}",
        **surroundings(),
        "ceilings": ceilings,
        "rows": rows,
        "failed": failed,
        "peers": [{"name": n, "title": t, **timing(samples[n])} for n, t in titles.items()],
    }
    options.output.mkdir(parents=True, exist_ok=True)
    with atomic_write(options.output / f"gpu-{package.card.name}.json") as beside:
        beside.write_text(json.dumps(report, indent=1) + "\n")
    with atomic_write(options.output / f"gpu-{package.card.name}.md") as beside:
        beside.write_text(written(report))
    print(written(report))


def built(
    package: ModelPackage, backends: Sequence[str], sample: Sample
) -> tuple[list[dict[str, Any]], dict[str, Run], dict[str, str]]:
    """Build every engine and run it once.

    :returns: a row of the report for each that runs, compared with the first; a call of each; and
        why the others do not run.
    """
    x, availability = sample.x[None].float().numpy(), sample.availability[None].numpy()
    truth = sample.regions.numpy().astype(bool)
    rows: list[dict[str, Any]] = []
    engines: dict[str, Run] = {}
    failed: dict[str, str] = {}
    exact: NDArray[np.float32] | None = None
    for backend, precision in product(backends, PRECISIONS):
        try:
            engine = require(backend, Device.CUDA, precision).build(
                package, package.card.inference.window, precision, Device.CUDA, EngineCache()
            )
        except BrainSegAccelError as error:
            failed[f"{backend} {precision}"] = str(error)
            continue
        found = engine(x, availability).copy()
        exact = found if exact is None else exact
        run = engines[f"{backend} {precision}"] = partial(engine, x, availability)
        changes = [
            dice(ours > 0.5, shown) - dice(theirs > 0.5, shown)
            for ours, theirs, shown in zip(found, exact, truth, strict=True)
        ]
        rows.append(
            {
                "backend": backend,
                "precision": str(precision),
                "operations": dict(engine.info.actual_precision),
                "settings": dict(engine.info.settings),
                "largest_difference": float(np.abs(found - exact).max()),
                "delta_dice": changes,
                **spent(run),
            }
        )
    return rows, engines, failed


def against_ceilings(rows: list[dict[str, Any]], model: str) -> dict[str, Any]:
    """Add to every row what share of the GPU's ceilings it reaches; return the ceilings."""
    copied = bandwidth("cuda")
    rates = {str(p): matrix_rate(str(p), "cuda") for p in PRECISIONS}
    operations, numbers = work_of(model)
    for row in rows:
        seconds = row["kernels_ms"] / 1000
        moved = numbers * FORMATS[row["precision"]].itemsize
        row["matrix_share"] = operations / seconds / rates[row["precision"]]
        row["memory_share"] = moved / seconds / copied
    return {"bytes_per_s": copied, "operations_per_s": rates}


def surroundings() -> dict[str, Any]:
    """Return machine, software and protocol."""
    return {
        "hardware": probe_hardware().model_dump(mode="json"),
        "software": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        },
        "protocol": {
            "shape": list(WHOLE_BRAIN),
            "case": {"seed": SEED, "kind": "ring"},
            "warmup": WARMUP,
            "iterations": ITERATIONS,
            "order": "interleaved",
        },
    }


def spent(run: Run) -> dict[str, float]:
    """Milliseconds that a GPU spends on kernels and on copies in one run."""
    run()
    with profile(activities=[ProfilerActivity.CUDA]) as watched:
        run()
        torch.cuda.synchronize()
    kernels = copies = 0.0
    for event in watched.key_averages():
        if event.key.startswith("Memcpy"):
            copies += event.self_device_time_total / 1000
        else:
            kernels += event.self_device_time_total / 1000
    return {"kernels_ms": kernels, "copies_ms": copies}


def timing(samples: Samples) -> dict[str, float]:
    """Percentiles in ms."""
    return {"p50_ms": samples.percentile(50), "p95_ms": samples.percentile(95)}


def written(report: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    gpu, software = report["hardware"]["gpus"][0], report["software"]
    rates = ", ".join(
        f"{precision} {rate / 1e12:.0f} TFLOP/s"
        for precision, rate in report["ceilings"]["operations_per_s"].items()
    )
    lines = [
        f"`{report['model']}` on {gpu['name']}, driver {gpu['driver']}, PyTorch "
        f"{software['torch']}, cuDNN {software['cudnn']}; volume 4 x "
        f"{' x '.join(map(str, report['protocol']['shape']))}, "
        f"{report['protocol']['iterations']} interleaved iterations after "
        f"{report['protocol']['warmup']}. Measured ceilings: memory "
        f"{report['ceilings']['bytes_per_s'] / 1e12:.2f} TB/s, matrix products {rates}.",
        "",
        "| backend | precision | p50 ms | p95 ms | kernels ms | copies ms | of matrix "
        "ceiling | of memory ceiling | GPU memory | largest difference | largest change of Dice |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['backend']} | {row['precision']} | {row['p50_ms']:.1f} "
        f"| {row['p95_ms']:.1f} | {row['kernels_ms']:.1f} | {row['copies_ms']:.1f} "
        f"| {row['matrix_share']:.0%} | {row['memory_share']:.0%} "
        f"| {row['settings']['gpu memory']} | {row['largest_difference']:.1e} "
        f"| {max(map(abs, row['delta_dice'])):.4f} |"
        for row in report["rows"]
    ]
    lines += [
        f"| {peer['title']} | fp32 | {peer['p50_ms']:.1f} | {peer['p95_ms']:.1f} | | | | | | | |"
        for peer in report["peers"]
    ]
    lines += ["", *(f"Did not run: {name}: {why}" for name, why in report["failed"].items())]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    main()
