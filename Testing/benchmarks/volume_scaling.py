"""What twice the volume costs: one pass over half a brain, a brain and two, in turn.

    python Testing/benchmarks/volume_scaling.py [--models full,fast] [--give-back] [--json FILE]

The shipped weights as FP32 engines of OpenVINO and in PyTorch eager, in a process that keeps freed
memory as the command line does. Prints a Markdown table of
medians, and how much each doubling costs; ends with exit code 1 if one costs more than promised.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from BrainSegAccelLib.backends.openvino import shared_core
from BrainSegAccelLib.models.export import INPUT_NAMES, OUTPUT_NAME, static_onnx
from BrainSegAccelLib.models.networks import DeployedNetwork, load_network
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.system.allocator import keep_freed_memory

SHAPES = ((80, 192, 160), (160, 192, 160), (320, 192, 160))
REPEATS, WARM_UP = 20, 3
LARGEST_RATIO = 2.2


def runs_of(model: str) -> dict[tuple[str, int], Callable[[], object]]:
    """Return what is timed, by backend and number of the shape."""
    network = DeployedNetwork(load_network(load_package(model))).eval()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    runs: dict[tuple[str, int], Callable[[], object]] = {}
    for number, shape in enumerate(SHAPES):
        example = (torch.randn(1, 4, *shape), torch.ones(1, 4))
        exported = static_onnx(network, example, INPUT_NAMES, OUTPUT_NAME)
        engine = shared_core().compile_model(shared_core().read_model(exported), "CPU", hints)
        runs["openvino", number] = partial(engine, [each.numpy() for each in example])
        runs["eager", number] = partial(network, *example)
    return runs


@torch.inference_mode()
def medians(runs: dict[tuple[str, int], Callable[[], object]]) -> dict[tuple[str, int], float]:
    """Run all in turn; milliseconds."""
    times: dict[tuple[str, int], list[float]] = {name: [] for name in runs}
    for repeat in range(WARM_UP + REPEATS):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if repeat >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="full,fast")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument(
        "--give-back", action="store_true", help="give freed memory back, as glibc does by itself"
    )
    options = parser.parse_args()
    if not options.give_back:
        keep_freed_memory()
    shown = " | ".join("x".join(map(str, shape)) for shape in SHAPES)
    print(f"| model | backend | {shown} | a doubling costs |")
    print("|" + "---|" * (len(SHAPES) + 3))
    found, largest = [], 0.0
    for model in options.models.split(","):
        measured = medians(runs_of(model))
        for backend in ("openvino", "eager"):
            values = [measured[backend, number] for number in range(len(SHAPES))]
            ratios = [after / before for before, after in pairwise(values)]
            largest = max(largest, *ratios)
            cells = " | ".join(f"{value:.0f} ms" for value in values)
            print(f"| {model} | {backend} | {cells} | {', '.join(f'{r:.2f}' for r in ratios)} |")
            found.append({"model": model, "backend": backend, "ms": values, "ratios": ratios})
    if options.json:
        document = {"shapes": SHAPES, "repeats": REPEATS, "rows": found}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    sys.exit(largest > LARGEST_RATIO)


if __name__ == "__main__":
    main()
