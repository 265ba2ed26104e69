"""Synthetic cases: four sequences of a head with or without a tumour, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import torch
from torch import Tensor

from .acquisition import acquire, cut_field_of_view
from .anatomy import Anatomy, draw_anatomy
from .atlas import Atlas, load_atlas
from .contrast import Sequences, render_sequences
from .geometry import Grid, HeadPose, Shape, deformed_positions
from .head_contrast import add_head
from .head_shape import HeadAtlas, HeadTissue, beyond_cavity, draw_head, head_grid
from .lesions import (
    KIND_WEIGHTS,
    CaseKind,
    TumourMaps,
    draw_tumour,
    masses,
    plan_lesions,
)
from .mimics import draw_mimics
from .noise import smooth_noise
from .rng import Rng


class Stripping(StrEnum):
    """What brain extraction left of a synthetic head."""

    CLEAN = "clean"
    GENEROUS = "generous"
    IMPERFECT = "imperfect"
    ABSENT = "absent"


STRIPPING_WEIGHTS = {
    Stripping.CLEAN.value: 0.45,
    # Common tools leave a rim of CSF, dura and inner skull: dark on T1, it moves every z-score.
    Stripping.GENEROUS.value: 0.35,
    Stripping.IMPERFECT.value: 0.18,
    Stripping.ABSENT.value: 0.02,
}


_LABELLED_OEDEMA, _LABELLED_NECROSIS, _LABELLED_ENHANCING = 0.25, 0.35, 0.3
"""Share in a voxel from which it is labelled whole tumour, tumour core, and enhancing: patients'
labels go to where the last of what is bright on FLAIR or T1c, or dark on T1, ends, not to where
half of it is left."""


@dataclass(frozen=True)
class SyntheticCase:
    """One case; axes z, y, x in LPS order.

    ``images`` [4, D, H, W] float32, channels t1, t1c, t2, flair, non-negative arbitrary units, 0
    outside the mask and outside a sequence's field of view. ``regions`` [3, D, H, W] float32 in 0
    to 1: soft ET, TC, WT, nested; the regions proper are where they exceed 0.5. ``mask``
    [D, H, W] bool is what stripping left: the brain, the brain with a rim or with scraps of the
    head, or the head. ``brain`` [D, H, W] bool is the brain itself. ``voxel`` in mm.
    """

    images: Tensor
    regions: Tensor
    mask: Tensor
    brain: Tensor
    voxel: float
    kind: CaseKind
    stripping: Stripping
    seed: int

    def label_map(self) -> Tensor:
        """Labels [D, H, W] uint8: 1 necrotic core, 2 oedema, 3 enhancing tumour, 0 elsewhere."""
        enhancing, core, whole = self.regions > 0.5
        labels = torch.zeros(self.mask.shape, dtype=torch.uint8, device=self.mask.device)
        labels[whole] = 2
        labels[core] = 1
        labels[enhancing] = 3
        return labels


@dataclass(frozen=True)
class Scene:
    """A brain before it is scanned, on the case's grid.

    ``source`` [3, D, H, W] is where in the atlas its tissue comes from; ``sequences`` mean nothing
    outside of ``anatomy.mask``.
    """

    source: Tensor
    anatomy: Anatomy
    tumour: TumourMaps
    sequences: Sequences


def draw_scene(rng: Rng, atlas: Atlas, pose: HeadPose, grid: Grid, kind: CaseKind) -> Scene:
    """Draw anatomy, tumour and contrast of one case."""
    lesions = plan_lesions(rng, atlas, pose, grid, kind)
    source = deformed_positions(rng, atlas, pose, grid, masses(rng, lesions))
    anatomy = draw_anatomy(rng, atlas, grid, source)
    tumour = draw_tumour(rng, grid, anatomy, lesions)
    mimics = draw_mimics(rng, grid, anatomy, tumour)
    if kind is CaseKind.CAVITY:
        anatomy = anatomy.with_fluid(tumour.cavity)
    sequences = render_sequences(rng, grid, kind, anatomy, tumour, mimics)
    return Scene(source, anatomy, tumour, sequences)


def outlined_regions(tumour: TumourMaps, bright: Tensor) -> Tensor:
    """Soft ET, TC, WT [3, D, H, W], nested, as raters outline a tumour: where they exceed 0.5.

    Enhancing tumour is brighter on T1c than on T1 and than healthy white matter (Bakas et al.
    2018, arXiv 1811.02629); what takes up contrast agent and does not get there is core.

    :param bright: see :class:`Sequences`.
    """
    enhancing = tumour.enhancing * (1 + bright * (0.5 / _LABELLED_ENHANCING - 1))
    core = enhancing + tumour.necrosis * (0.5 / _LABELLED_NECROSIS)
    # Where core and oedema share a voxel neither may reach one half: the sum decides.
    whole = core + tumour.oedema * (0.5 / _LABELLED_OEDEMA)
    return torch.stack([torch.minimum(enhancing, bright), core, whole]).clamp_(max=1)


class CaseGenerator:
    """Makes cases from seeds: the same seed, the same case.

    :param voxel: voxel edge in mm.
    :param shape: (z, y, x) of a block around a random place in the brain; None for whole brains,
        whose shape follows the head.
    :param device: where the fields are computed.
    :param kinds: how often each kind of case is made, where the kind is not asked for.
    """

    def __init__(
        self,
        voxel: float = 1.0,
        shape: Shape | None = None,
        device: torch.device | None = None,
        kinds: Mapping[CaseKind, float] = KIND_WEIGHTS,
    ) -> None:
        self.voxel = voxel
        self.shape = shape
        self.device = device or torch.device("cpu")
        self.kinds = kinds
        self._atlas = load_atlas().to(self.device)

    @cached_property
    def _head_atlas(self) -> HeadAtlas:
        return HeadAtlas.of(self._atlas)

    @torch.no_grad()
    def generate(
        self, seed: int, kind: CaseKind | None = None, stripping: Stripping | None = None
    ) -> SyntheticCase:
        """Make the case of ``seed``; ``kind`` forces the sort of disease, ``stripping`` the mask.

        Blocks (``shape`` given) are never drawn with the whole head around them.
        """
        rng = Rng(seed, self.device)
        drawn = rng.pick(self.kinds)
        left = Stripping(rng.pick(STRIPPING_WEIGHTS))
        kind, stripping = kind or drawn, stripping or left
        if self.shape is not None and stripping is Stripping.ABSENT:
            stripping = Stripping.IMPERFECT
        pose = HeadPose.draw(rng, self._atlas)
        grid = self._grid(rng, pose, stripping)
        scene = draw_scene(rng, self._atlas, pose, grid, kind)
        anatomy, tumour, ideal = scene.anatomy, scene.tumour, scene.sequences.images
        mask = anatomy.mask
        if stripping is not Stripping.CLEAN:
            head = draw_head(rng, self._head_atlas, grid, scene.source)
            ideal = add_head(rng, grid, anatomy, head, ideal)
            mask = self._left_by_stripping(rng, grid, scene, head, stripping)
        seen = cut_field_of_view(rng, anatomy.mask)
        images = torch.stack(
            [acquire(rng, grid, image) * part for image, part in zip(ideal, seen, strict=True)]
        )
        covered = torch.stack(seen).any(0)
        mask = mask & covered
        regions = outlined_regions(tumour, scene.sequences.bright) * covered
        brain = anatomy.mask & covered
        return SyntheticCase(images * mask, regions, mask, brain, self.voxel, kind, stripping, seed)

    def _grid(self, rng: Rng, pose: HeadPose, stripping: Stripping) -> Grid:
        if self.shape is not None:
            x, y, z = (rng.uniform(-0.3, 0.3) * size for size in pose.extent)
            return Grid(self.shape, self.voxel, (x, y, z))
        if stripping is Stripping.ABSENT:
            return head_grid(rng, pose, self.voxel)
        return pose.fitting_grid(self.voxel)

    def _left_by_stripping(
        self,
        rng: Rng,
        grid: Grid,
        scene: Scene,
        head: Tensor,
        stripping: Stripping,
    ) -> Tensor:
        """The mask [D, H, W]: the whole head, or the brain with some of what lies around it."""
        beyond = beyond_cavity(self._head_atlas, scene.source)
        if stripping is Stripping.ABSENT:
            # Air within the head belongs to its foreground, as in a mask found by threshold.
            return scene.anatomy.mask | (head != HeadTissue.AIR) | (beyond < 0)
        patches = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(20, 60))[0]
        if stripping is Stripping.GENEROUS:
            reach = patches * rng.uniform(0, 1) + rng.uniform(-1, 3)
        else:
            reach = patches * rng.uniform(1, 5) + rng.uniform(-5, 2)
        return scene.anatomy.mask | (beyond < reach)
