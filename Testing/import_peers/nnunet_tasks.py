"""What the small nnU-Nets are trained for, and the volumes that they are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from peer_phantoms import Case, Shape, make_case


@dataclass(frozen=True)
class Task:
    """A data set of nnU-Net.

    ``label_of_tissue`` gives the label of air, tissue, oedema, necrotic core and enhancing tumour.
    ``patch``, ``kernels`` and ``strides`` are those of a network that trains in seconds.
    """

    number: int
    name: str
    sequences: tuple[str, ...]
    channel_names: tuple[str, ...]
    labels: dict[str, int | tuple[int, ...]]
    label_of_tissue: tuple[int, ...]
    shapes: tuple[Shape, ...]
    patch: tuple[int, int, int]
    kernels: tuple[tuple[int, int, int], ...]
    strides: tuple[tuple[int, int, int], ...]
    regions_class_order: tuple[int, ...] | None = None
    masked: bool = True
    extra: dict[str, dict[str, Any]] = field(default_factory=dict)
    cases: int = 5

    @property
    def dataset(self) -> str:
        return f"Dataset{self.number:03d}_{self.name}"

    def training_case(self, number: int) -> Case:
        return self.case(self.number * 100 + number, self.shapes[number % len(self.shapes)])

    def case(self, seed: int, shape: Shape) -> Case:
        return make_case(seed, shape, self.sequences, masked=self.masked)

    def make_small(self, plans: dict[str, Any]) -> None:
        """Changes the plans: small networks and patches, and configurations beside the usual."""
        small = plans["configurations"]["3d_fullres"]
        small["patch_size"] = list(self.patch)
        small["batch_size"] = 2
        arch = small["architecture"]["arch_kwargs"]
        stages = len(self.strides)
        arch["n_stages"] = stages
        arch["features_per_stage"] = [8 * 2**stage for stage in range(stages)]
        arch["kernel_sizes"] = [list(each) for each in self.kernels]
        arch["strides"] = [list(each) for each in self.strides]
        arch["n_conv_per_stage_decoder"] = [1] * (stages - 1)
        if "n_conv_per_stage" in arch:
            arch["n_conv_per_stage"] = [2] * stages
        else:
            arch["n_blocks_per_stage"] = [1, 2, 2][:stages]
        plans["configurations"].update(self.extra)


def make_full_size(plans: dict[str, Any]) -> None:
    """Changes the plans to those of BraTS on a graphics card of 8 GB."""
    configuration = plans["configurations"]["3d_fullres"]
    configuration["patch_size"] = [128, 160, 112]
    stages = 6
    configuration["architecture"]["arch_kwargs"].update(
        n_stages=stages,
        features_per_stage=[32, 64, 128, 256, 320, 320],
        kernel_sizes=[[3, 3, 3]] * stages,
        strides=[[1, 1, 1], *[[2, 2, 2]] * 4, [2, 2, 1]],
        n_conv_per_stage=[2] * stages,
        n_conv_per_stage_decoder=[2] * (stages - 1),
    )


@dataclass(frozen=True)
class Training:
    """One network, or one a fold.

    ``mirroring_axes`` are those that its checkpoint allows; ``every`` how many of the volumes it is
    compared on: each, every third.
    """

    name: str
    task: Task
    configuration: str = "3d_fullres"
    plans: str = "nnUNetPlans"
    mirroring_axes: tuple[int, ...] | None = None
    folds: tuple[int, ...] = (0,)
    epochs: int = 2
    iterations: int = 20
    every: int = 1


def _ras(*size: int, spacing: Sequence[float]) -> Shape:
    """A grid along R, A, S, as most NIfTI files have it."""
    x, y, z = spacing
    return Shape(
        (size[0], size[1], size[2]), (x, y, z), (-1, 0, 0, 0, -1, 0, 0, 0, 1), (24.0, 30.0, -20.0)
    )


_ISOTROPIC = (
    Shape((34, 39, 33), (1.0, 1.0, 1.0)),
    Shape((33, 36, 34), (1.0, 1.1, 1.0)),
    Shape((38, 40, 30), (0.9, 0.9, 1.2)),
)
# Sagittal slices, 5 mm apart: i is the axis of the slices, so nnU-Net turns the axes.
_SAGITTAL = (
    Shape((13, 42, 45), (5.0, 1.0, 1.0), (0, 0, 1, 1, 0, 0, 0, -1, 0)),
    Shape((12, 45, 42), (5.0, 1.0, 1.05), (0, 0, 1, 1, 0, 0, 0, -1, 0)),
)
_CUBES = {
    "patch": (24, 24, 24),
    "kernels": ((3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "strides": ((1, 1, 1), (2, 2, 2), (2, 2, 2)),
}

LABELS = Task(
    901,
    "PhantomLabels",
    sequences=("t1", "t1c", "t2", "flair"),
    channel_names=("T1", "T1Gd", "T2", "FLAIR"),
    labels={"background": 0, "necrosis": 1, "oedema": 2, "enhancing": 3},
    label_of_tissue=(0, 0, 2, 1, 3),
    shapes=_ISOTROPIC,
    **_CUBES,
    extra={
        "3d_lowres": {
            "inherits_from": "3d_fullres",
            "data_identifier": "nnUNetPlans_3d_lowres",
            "spacing": [1.6, 1.6, 1.6],
            "patch_size": [16, 16, 16],
            "next_stage": "3d_cascade_fullres",
        },
        "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
        # Each scheme of nnU-Net's on some channel; a user may write this into the plans.
        "3d_schemes": {
            "inherits_from": "3d_fullres",
            "data_identifier": "nnUNetPlans_3d_schemes",
            "normalization_schemes": [
                "ZScoreNormalization",
                "CTNormalization",
                "RescaleTo01Normalization",
                "ZScoreNormalization",
            ],
            "use_mask_for_norm": [False, False, False, True],
        },
    },
)
# Names, labels and order of nnU-Net's own conversion of BraTS 2021.
REGIONS = Task(
    902,
    "PhantomRegions",
    sequences=("t1", "t1c", "t2", "flair"),
    channel_names=("T1", "T1ce", "T2", "Flair"),
    labels={
        "background": 0,
        "whole tumor": (1, 2, 3),
        "tumor core": (2, 3),
        "enhancing tumor": (3,),
    },
    label_of_tissue=(0, 0, 1, 2, 3),
    regions_class_order=(1, 2, 3),
    shapes=_ISOTROPIC,
    **_CUBES,
)
THICK = Task(
    903,
    "PhantomThick",
    sequences=("t1c", "flair"),
    channel_names=("T1w post contrast", "FLAIR"),
    labels={"background": 0, "tumour": 1},
    label_of_tissue=(0, 0, 1, 1, 1),
    shapes=_SAGITTAL,
    patch=(8, 24, 24),
    kernels=((1, 3, 3), (3, 3, 3), (3, 3, 3)),
    strides=((1, 1, 1), (1, 2, 2), (2, 2, 2)),
    masked=False,
)
TASKS = (LABELS, REGIONS, THICK)

TRAININGS = (
    Training("labels", LABELS, folds=(0, 1), mirroring_axes=(0, 1, 2)),
    Training("lowres", LABELS, "3d_lowres", iterations=15, every=3),
    Training("schemes", LABELS, "3d_schemes", iterations=15, every=3),
    Training("residual", LABELS, plans="nnUNetResEncUNetMPlans", iterations=30, every=3),
    Training("regions", REGIONS, mirroring_axes=(0, 2)),
    Training("thick", THICK),
)

_OBLIQUE = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, 1.0)
# Sizes below and above the patch, spacings below, at and above the trained ones, 5 mm slices along
# each axis, orientations with and without a turn.
VOLUMES = (
    Shape((34, 39, 33), (1.0, 1.0, 1.0)),
    _ras(34, 39, 33, spacing=(1.0, 1.0, 1.0)),
    _ras(36, 38, 30, spacing=(1.0, 1.0, 1.2)),
    Shape((45, 50, 42), (0.75, 0.75, 0.8)),
    Shape((27, 30, 26), (1.3, 1.3, 1.3)),
    Shape((21, 22, 20), (1.0, 1.0, 1.0)),
    Shape((20, 48, 22), (1.0, 1.0, 1.0)),
    Shape((39, 42, 12), (1.0, 1.0, 5.0)),
    _ras(39, 42, 11, spacing=(0.9, 0.9, 5.0)),
    Shape((12, 42, 45), (5.0, 1.0, 1.0), (0, 0, 1, 1, 0, 0, 0, -1, 0)),
    Shape((42, 45, 12), (0.8, 0.8, 6.0), (1, 0, 0, 0, 0, 1, 0, -1, 0)),
    Shape((40, 13, 44), (1.0, 5.0, 1.0)),
    Shape((34, 38, 36), (1.0, 1.0, 1.0), _OBLIQUE),
    _ras(33, 33, 22, spacing=(1.1, 1.1, 1.7)),
    Shape((33, 34, 20), (1.0, 1.0, 2.5)),
    Shape((33, 34, 17), (1.0, 1.0, 3.0)),
    Shape((34, 35, 16), (0.95, 1.0, 3.05)),
    Shape((35, 38, 34), (0.97, 1.03, 0.99), (0, 1, 0, 1, 0, 0, 0, 0, 1)),
    Shape((25, 24, 23), (1.0, 1.0, 1.0)),
    _ras(48, 52, 36, spacing=(0.7, 0.7, 0.9)),
)
