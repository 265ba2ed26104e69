"""Accuracy against latency for a trained network of which less and less is kept.

    python Testing/benchmarks/pruning_curve.py train WORK_FOLDER [--only NAME] [--steps N]
    python Testing/benchmarks/pruning_curve.py report WORK_FOLDER docs/data/pruning_curve.json

``train`` prunes the shipped model to several shares of its channels and gives each the same short
training, with the whole model as its teacher; each size is trained from random weights too, by the
same steps on the same samples, to show what the pruned weights are worth. It can be interrupted
and called again. ``report`` scores what is finished on synthetic whole brains that training never
saw, measures whole-brain latency in OpenVINO FP32 and BF16 (networks in turn, so that drift of the
machine favours none), and writes JSON, a Markdown table and a figure beside it.
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
from BrainSegAccelLib.models.package import load_package
from BrainSegAccelLib.training.config import Stage, TrainingConfig
from BrainSegAccelLib.training.run import train
from BrainSegAccelLib.training.train import validation_of
from safetensors.torch import load_file
from size_curve import REPEATS, latencies

MODEL = "full"
SHARES = (1.0, 0.83, 0.67, 0.5, 0.33)
STARTS = {"pruned": "o-", "random": "s--"}
"""What a training begins with, and its line in the figure."""
NAMES = {f"{round(100 * s)} %, {start}": (s, start) for start in STARTS for s in SHARES}
STEPS = 300
CASES = 18


def network_of(share: float) -> HybridConfig:
    """The model's network with a share of its channels, in multiples of 4 and of whole heads."""
    whole = load_package(MODEL).card.network
    units = (4, 4, whole.head_width, whole.head_width)
    widths = [
        unit * max(1, round(share * width / unit))
        for width, unit in zip(whole.widths, units, strict=True)
    ]
    return HybridConfig(**whole.model_dump() | {"widths": widths})


def config_of(name: str, steps: int) -> TrainingConfig:
    """The short training that every network gets."""
    share, _ = NAMES[name]
    stage = Stage(
        steps=steps, shape=(96, 112, 96), case_voxel=2, whole_brain=False, samples_per_case=4
    )
    return TrainingConfig(
        name=f"pruning curve, {name}",
        seed=5,
        network=network_of(share),
        stages=(stage,),
        workers=0,
        learning_rate=1e-3,
        warm_up_steps=30,
        ema_decay=0.98,
        validation_cases=0,
    )


def folder_of(work: Path, name: str) -> Path:
    """Where the training of one network lives."""
    return work / name.replace(" %,", "").replace(" ", "-")


def train_networks(work: Path, only: str | None, steps: int) -> None:
    """Train what is not finished yet."""
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for name in [only] if only else NAMES:
        folder = folder_of(work, name)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.json"
        config.write_text(config_of(name, steps).model_dump_json(indent=2))
        if (folder / "done").exists():
            continue
        began = time.monotonic()
        pruned = NAMES[name][1] == "pruned"
        train(
            config,
            folder,
            resume=(folder / "checkpoint.pt").exists(),
            initial=MODEL if pruned else None,
            prune=pruned,
            teachers=[MODEL],
        )
        (folder / "done").write_text(f"{time.monotonic() - began:.0f} s\n")


def report(work: Path, output: Path) -> None:
    """Score, time, and write JSON, table and figure."""
    rows = {}
    networks = {}
    settings = config_of(next(iter(NAMES)), STEPS)
    validation = validation_of(
        settings.model_copy(update={"validation_cases": CASES}), torch.device("cpu")
    )
    for name, (share, start) in NAMES.items():
        folder = folder_of(work, name)
        if not (folder / "done").exists():
            continue
        trained = TrainingConfig.model_validate_json((folder / "training.json").read_bytes())
        network = HybridNetwork(trained.network, 4, 3)
        network.load_state_dict(load_file(folder / "weights.safetensors"))
        networks[name] = DeployedNetwork(network).eval()
        rows[name] = {
            "share": share,
            "start": start,
            "steps": trained.steps,
            "widths": trained.network.widths,
            "parameters": sum(p.numel() for p in network.parameters()),
            **{key: round(value, 4) for key, value in validation.score(network).items()},
        }
        rows[name]["mean_dice"] = round(
            statistics.mean(rows[name][region] for region in ("ET", "TC", "WT")), 4
        )
        network.eval()
    for name, (fp32, bf16) in latencies(networks).items():
        rows[name] |= {"fp32_ms": round(fp32, 1), "bf16_ms": round(bf16, 1)}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(
        json.dumps({"model": MODEL, "cases": CASES, "repeats": REPEATS, "networks": rows}, indent=2)
    )
    output.with_suffix(".md").write_text(table(rows))
    draw(rows, output.with_suffix(".png"))
    print(table(rows))


def table(rows: dict[str, dict]) -> str:
    """The rows as Markdown."""
    lines = [
        "| kept, start | widths | parameters (M) | ET | TC | WT | mean | FP32 ms | BF16 ms |",
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
    """Mean Dice over FP32 latency, and over parameters."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(10, 4.2), sharey=True, layout="constrained"
    )
    for start, line in STARTS.items():
        some = [row for row in rows.values() if row["start"] == start]
        dice = [row["mean_dice"] for row in some]
        left.plot([row["fp32_ms"] for row in some], dice, line, label=f"{start} weights at first")
        right.plot([row["parameters"] / 1e6 for row in some], dice, line)
        for row in some:
            place = (row["fp32_ms"], row["mean_dice"])
            shown = f"{row['share']:.0%}"
            left.annotate(shown, place, xytext=(6, -12), textcoords="offset points")
    left.set_xlabel("whole-brain latency, OpenVINO FP32 (ms)")
    right.set_xlabel("parameters (millions)")
    left.set_ylabel("mean Dice of ET, TC, WT on synthetic cases")
    left.legend(loc="center right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run one of the two parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    training = parts.add_parser("train")
    training.add_argument("work", type=Path)
    training.add_argument("--only", choices=NAMES)
    training.add_argument("--steps", type=int, default=STEPS)
    reporting = parts.add_parser("report")
    reporting.add_argument("work", type=Path)
    reporting.add_argument("output", type=Path)
    options = parser.parse_args()
    if options.part == "train":
        train_networks(options.work, options.only, options.steps)
    else:
        report(options.work, options.output)


if __name__ == "__main__":
    main()
