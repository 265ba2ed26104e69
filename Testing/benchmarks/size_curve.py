"""Accuracy against latency for several network sizes, and SSD against convolutions.

    python Testing/benchmarks/size_curve.py train WORK_FOLDER [--only NAME]
    python Testing/benchmarks/size_curve.py report WORK_FOLDER docs/data/size_curve.json

``train`` gives every size the same short training: same seed, same synthetic samples, same
schedule; it can be interrupted and called again. ``report`` scores them on synthetic whole brains
that training never saw, measures whole-brain latency in OpenVINO FP32 and BF16 (sizes in turn, so
that drift of the machine favours none), and writes JSON, a Markdown table and a figure beside it.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
from pathlib import Path

import torch
from BrainSegAccelLib.models.config import HybridConfig
from BrainSegAccelLib.models.hybrid import HybridNetwork
from BrainSegAccelLib.models.networks import DeployedNetwork
from BrainSegAccelLib.training.config import Stage, TrainingConfig
from BrainSegAccelLib.training.run import train
from BrainSegAccelLib.training.train import validation_of
from safetensors.torch import load_file

FULL = HybridConfig()
SIZES = {
    "tiny": HybridConfig(widths=(8, 16, 32, 64), encoder_blocks=(0, 1, 1, 1), ssd_blocks=(1, 2)),
    "fast": HybridConfig(widths=(12, 32, 64, 128), encoder_blocks=(0, 0, 1, 1), ssd_blocks=(1, 2)),
    "middle": HybridConfig(widths=(16, 32, 64, 96)),
    "full": FULL,
    "full, convolutions for SSD": FULL.model_copy(update={"token_mixer": "convolution"}),
    "large": HybridConfig(widths=(32, 64, 128, 192)),
}
SHAPE = (160, 192, 160)
CASES = 18
REPEATS = 20


def config_of(name: str) -> TrainingConfig:
    """The short training that every size gets."""
    stage = Stage(
        steps=500, shape=(96, 112, 96), case_voxel=2, whole_brain=False, samples_per_case=4
    )
    return TrainingConfig(
        name=f"size curve, {name}",
        seed=5,
        network=SIZES[name],
        stages=(stage,),
        workers=0,
        validation_cases=0,
    )


def folder_of(work: Path, name: str) -> Path:
    """Where the training of one size lives."""
    return work / name.replace(",", "").replace(" ", "-")


def train_sizes(work: Path, only: str | None) -> None:
    """Train what is not finished yet."""
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for name in [only] if only else SIZES:
        folder = folder_of(work, name)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.json"
        config.write_text(config_of(name).model_dump_json(indent=2))
        if (folder / "done").exists():
            continue
        began = time.monotonic()
        train(config, folder, resume=(folder / "checkpoint.pt").exists())
        (folder / "done").write_text(f"{time.monotonic() - began:.0f} s\n")


def report(work: Path, output: Path) -> None:
    """Score, time, and write JSON, table and figure."""
    rows = {}
    networks = {}
    validation = validation_of(
        config_of("full").model_copy(update={"validation_cases": CASES}), torch.device("cpu")
    )
    for name, config in SIZES.items():
        network = HybridNetwork(config, 4, 3)
        network.load_state_dict(load_file(folder_of(work, name) / "weights.safetensors"))
        networks[name] = DeployedNetwork(network).eval()
        rows[name] = {
            "widths": config.widths,
            "parameters": sum(p.numel() for p in network.parameters()),
            **{key: round(value, 4) for key, value in validation.score(network).items()},
        }
        rows[name]["mean_dice"] = round(
            statistics.mean(rows[name][region] for region in ("ET", "TC", "WT")), 4
        )
    for name, (fp32, bf16) in latencies(networks).items():
        rows[name] |= {"fp32_ms": round(fp32, 1), "bf16_ms": round(bf16, 1)}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({"cases": CASES, "repeats": REPEATS, "sizes": rows}, indent=2))
    output.with_suffix(".md").write_text(table(rows))
    draw(rows, output.with_suffix(".png"))
    print(table(rows))


def latencies(networks: dict[str, DeployedNetwork]) -> dict[str, tuple[float, float]]:
    """Median milliseconds of one whole brain per network, FP32 and BF16, measured in turn."""
    import openvino
    from BrainSegAccelLib.backends.openvino import shared_core

    core = shared_core()
    x, availability = torch.randn(1, 4, *SHAPE), torch.ones(1, 4)
    engines = {}
    for name, network in networks.items():
        model = openvino.convert_model(
            network,
            example_input=(x, availability),
            input=[list(x.shape), list(availability.shape)],
        )
        for precision in ("f32", "bf16"):
            hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
            engines[name, precision] = core.compile_model(model, "CPU", hints)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in engines}
    for repeat in range(REPEATS + 2):
        for key, engine in engines.items():
            began = time.perf_counter()
            engine([x.numpy(), availability.numpy()])
            if repeat >= 2:
                times[key].append(1000 * (time.perf_counter() - began))
    median = {key: statistics.median(values) for key, values in times.items()}
    return {name: (median[name, "f32"], median[name, "bf16"]) for name in networks}


def table(rows: dict[str, dict]) -> str:
    """The rows as Markdown."""
    lines = [
        "| network | widths | parameters (M) | ET | TC | WT | mean | FP32 ms | BF16 ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        widths = "/".join(map(str, row["widths"]))
        dice = " | ".join(f"{row[key]:.3f}" for key in ("ET", "TC", "WT", "mean_dice"))
        lines.append(
            f"| {name} | {widths} | {row['parameters'] / 1e6:.2f} | {dice} "
            f"| {row['fp32_ms']:.0f} | {row['bf16_ms']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def draw(rows: dict[str, dict], path: Path) -> None:
    """Mean Dice over FP32 latency."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    sized = [name for name in rows if SIZES[name].token_mixer == "ssd"]
    axes.plot(
        [rows[name]["fp32_ms"] for name in sized],
        [rows[name]["mean_dice"] for name in sized],
        "o-",
        color="#1f77b4",
        label="with SSD blocks",
    )
    other = [name for name in rows if name not in sized]
    axes.plot(
        [rows[name]["fp32_ms"] for name in other],
        [rows[name]["mean_dice"] for name in other],
        "s",
        color="#d62728",
        label="convolutions in their place",
    )
    for name in sized:
        place = (rows[name]["fp32_ms"], rows[name]["mean_dice"])
        axes.annotate(name, place, xytext=(6, -12), textcoords="offset points")
    axes.set_xlabel("whole-brain latency, OpenVINO FP32, 2 cores (ms)")
    axes.set_ylabel("mean Dice of ET, TC, WT on synthetic cases")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run one of the two parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    training = parts.add_parser("train")
    training.add_argument("work", type=Path)
    training.add_argument("--only", choices=SIZES)
    reporting = parts.add_parser("report")
    reporting.add_argument("work", type=Path)
    reporting.add_argument("output", type=Path)
    options = parser.parse_args()
    if options.part == "train":
        train_sizes(options.work, options.only)
    else:
        report(options.work, options.output)


if __name__ == "__main__":
    main()
