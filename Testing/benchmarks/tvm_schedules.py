"""What each schedule gives: the same model, compiled by TVM in several ways, in turn.

    python Testing/benchmarks/tvm_schedules.py [--model full] [--shape 64,64,64]
        [--only WORDS,...] [--json FILE]

Every way is compiled first, then all are run in turn, PyTorch eager and OpenVINO in FP32 too.
Prints a Markdown table of medians and of how many times as fast as plain TVM each is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tvm
from BrainSegAccelLib.backends.openvino import shared_core
from BrainSegAccelLib.backends.protocol import Precision, Shape
from BrainSegAccelLib.backends.tvm import llvm_target, relax_module, share_cores
from BrainSegAccelLib.backends.tvm_schedules.loops import Rows
from BrainSegAccelLib.backends.tvm_schedules.pipeline import OPERATORS, passes
from BrainSegAccelLib.models.export import INPUT_NAMES, OUTPUT_NAME, static_onnx
from BrainSegAccelLib.models.networks import DeployedNetwork, load_network
from BrainSegAccelLib.models.package import ModelPackage, load_package
from BrainSegAccelLib.system.allocator import keep_freed_memory
from BrainSegAccelLib.system.host import usable_cores
from tvm import relax
from tvm.s_tir import dlight

CONVOLUTIONS, PRODUCTS, NORMS = OPERATORS
PLAIN = "plain"
WAYS = {
    PLAIN: ("loops as TVM writes them", None),
    "dlight": (
        # Its other rule, for products with vectors, stops at an assertion on this network.
        "TVM's fusion and its schedule rule for reductions",
        passes({}, dlight.cpu.Reduction()),
    ),
    "convolutions": (
        "convolutions in register tiles",
        passes({CONVOLUTIONS: OPERATORS[CONVOLUTIONS]}),
    ),
    "products": (
        "and matrix products",
        passes({name: OPERATORS[name] for name in (CONVOLUTIONS, PRODUCTS)}),
    ),
    "norms": ("and instance normalisation by columns", passes(OPERATORS)),
    "all": ("and all other loops over cores: as shipped", passes(OPERATORS, Rows())),
}
REPEATS = 5


def compiled(module: Any, schedules: Any) -> Any:
    """Return the network as TVM runs it."""
    target = tvm.target.Target(llvm_target())
    with target:
        module = module if schedules is None else schedules(module)
    return relax.VirtualMachine(tvm.compile(module, target=target), tvm.cpu())["main"]


def runs_of(package: ModelPackage, shape: Shape, only: list[str]) -> dict[str, Callable[[], Any]]:
    """Return what is timed, by name."""
    x, availability = torch.randn(1, 4, *shape), torch.ones(1, 4)
    module = relax_module(package, shape, Precision.FP32)
    inputs = [tvm.runtime.tensor(each.numpy()) for each in (x, availability)]
    runs: dict[str, Callable[[], Any]] = {
        name: partial(compiled(module, schedules), *inputs)
        for name, (_, schedules) in WAYS.items()
        if name in only
    }
    if "others" not in only:
        return runs
    network = DeployedNetwork(load_network(package)).eval()
    runs["eager"] = partial(network, x, availability)
    exported = static_onnx(network, (x, availability), INPUT_NAMES, OUTPUT_NAME)
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    engine = shared_core().compile_model(shared_core().read_model(exported), "CPU", hints)
    runs["openvino"] = partial(engine, [x.numpy(), availability.numpy()])
    return runs


@torch.inference_mode()
def medians(runs: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Run all in turn, once before it counts; milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(1 + REPEATS):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if repeat:
                times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="full")
    parser.add_argument("--shape", default="64,64,64")
    parser.add_argument("--only", default=",".join([*WAYS, "others"]), help="some of these")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    share_cores()
    keep_freed_memory()
    shape = tuple(map(int, options.shape.split(",")))
    runs = runs_of(load_package(options.model), shape, options.only.split(","))
    print(f"compiled; {', '.join(runs)} in turn", flush=True)
    measured = medians(runs)
    plain = measured.get(PLAIN)
    print("| what | ms | times as fast as plain TVM |\n|---|---|---|")
    for name, value in measured.items():
        told = WAYS[name][0] if name in WAYS else name
        print(f"| {told} | {value:.0f} | {f'{plain / value:.1f}' if plain else ''} |")
    if options.json:
        document = {
            "model": options.model,
            "shape": shape,
            "cores": usable_cores(),
            "tvm": tvm.__version__,
            "repeats": REPEATS,
            "ms": measured,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
