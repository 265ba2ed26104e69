"""How much of a machine's ceilings the rows of a benchmark use: memory and matrix products.

    brainsegaccel bench --device cuda --output RUN
    python Testing/benchmarks/roofline.py RUN/benchmarks.json --device cuda

Run it on the machine that made the report, when it is idle. Measures how fast memory is copied and
how fast large matrices are multiplied in each format, counts the operations of the convolutions and
products of each model, and what those read and write if nothing stays in a cache between them, and
prints for each row the share of both ceilings that its median reaches. A share of memory above
100 % says that fused layers or caches spare that much.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from BrainSegAccelLib.benchmark.report import BenchmarkReport
from BrainSegAccelLib.models.networks import DeployedNetwork, load_network
from BrainSegAccelLib.models.package import load_package
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

FORMATS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
FORMATS["fp16"] = torch.float16
COUNTED = {"convolution", "mm", "bmm", "addmm", "baddbmm"}
COPIED = 2**28
SIDES = {"cpu": 2048, "cuda": 8192}
REPEATS = 10


class Traffic(TorchDispatchMode):
    """Counts numbers that convolutions and matrix products read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run ``func`` and count its tensors."""
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in COUNTED:
            tensors = [each for each in args if isinstance(each, torch.Tensor)]
            self.numbers += sum(each.numel() for each in (*tensors, result))
        return result


def seconds_of(run: Callable[[], object], device: str) -> float:
    """Return the least time of several runs."""
    best = math.inf
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def bandwidth(device: str) -> float:
    """Bytes a second that a copy reads and writes."""
    source = torch.ones(COPIED, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED / seconds_of(lambda: target.copy_(source), device)


def matrix_rate(precision: str, device: str) -> float:
    """Operations a second of a square matrix product."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    side = SIDES[device]
    # Not of ones: what switches fewer transistors is let run faster.
    a = torch.randn(side, side, device=device).to(FORMATS[precision])
    return 2 * side**3 / seconds_of(lambda: a @ a, device)


def work_of(model: str) -> tuple[int, int]:
    """Return operations and numbers moved of one whole-brain pass."""
    package = load_package(model)
    network = DeployedNetwork(load_network(package)).eval()
    x, there = torch.zeros(1, 4, *package.card.inference.window), torch.ones(1, 4)
    with torch.no_grad(), FlopCounterMode(display=False) as operations, Traffic() as traffic:
        network(x, there)
    return operations.get_total_flops(), traffic.numbers


def main() -> None:
    """Measure the ceilings and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--device", choices=SIDES, default="cpu")
    options = parser.parse_args()
    report = BenchmarkReport.model_validate_json(options.report.read_bytes())
    copied = bandwidth(options.device)
    print(f"memory {copied / 1e9:.0f} GB/s\n")
    print("| model | backend | precision | p50 ms | of matrix ceiling | of memory ceiling |")
    print("|---|---|---|---|---|---|")
    rates: dict[str, float] = {}
    work: dict[str, tuple[int, int]] = {}
    for row in report.rows:
        manifest = row.manifest
        precision, median = manifest.precision.engine, manifest.latency.model_only.p50_ms
        # PyTorch has no common way to multiply INT8 matrices: no ceiling, no share.
        if precision not in FORMATS or median is None:
            continue
        if precision not in rates:
            rates[precision] = matrix_rate(precision, options.device)
        model = manifest.model.name
        if model not in work:
            work[model] = work_of(model)
        operations, numbers = work[model]
        moved = numbers * FORMATS[precision].itemsize
        seconds = median / 1000
        matrix, memory = operations / seconds / rates[precision], moved / seconds / copied
        backend = manifest.runtime.backend
        print(f"| {model} | {backend} | {precision} | {median:.1f} | {matrix:.0%} | {memory:.0%} |")
    for precision, rate in rates.items():
        print(f"\nmatrix products in {precision}: {rate / 1e12:.2f} TFLOP/s", end="")
    for model, (operations, numbers) in work.items():
        print(f"\n{model}: {operations / 1e9:.0f} GFLOP, {numbers / 1e6:.0f} million numbers moved")


if __name__ == "__main__":
    main()
