"""How many synthetic whole-brain cases a second this machine makes.

python Testing/benchmarks/generator_speed.py [--device cuda] [--voxel 1] [--cases 20]
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from BrainSegAccelLib.synthesis.cases import CaseGenerator


def main() -> None:
    """Make cases one after the other and print their rate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--voxel", type=float, default=1.0)
    parser.add_argument("--cases", type=int, default=20)
    options = parser.parse_args()
    device = torch.device(options.device)
    generator = CaseGenerator(options.voxel, device=device)
    seconds = []
    for seed in range(-2, options.cases):
        began = time.perf_counter()
        generator.generate(1_000 + seed)
        if device.type == "cuda":
            torch.cuda.synchronize()
        if seed >= 0:
            seconds.append(time.perf_counter() - began)
    print(
        f"{device}, {torch.get_num_threads()} threads, {options.voxel:g} mm: "
        f"{len(seconds) / sum(seconds):.2f} cases/s, median {statistics.median(seconds):.2f} s, "
        f"slowest {max(seconds):.2f} s, over {len(seconds)} cases"
    )


if __name__ == "__main__":
    main()
