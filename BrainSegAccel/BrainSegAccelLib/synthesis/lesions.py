"""Tumours as soft maps: what is necrotic, what enhances, where the oedema spreads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from .anatomy import Anatomy
from .atlas import Atlas
from .geometry import Grid, HeadPose, Mass, sample
from .noise import blur, smooth_noise
from .rng import Rng


class CaseKind(StrEnum):
    """What sort of disease a synthetic case shows."""

    RING = "ring"
    NON_ENHANCING = "non-enhancing"
    PATCHY = "patchy"
    SOLID = "solid"
    METASTASES = "metastases"
    CAVITY = "cavity"
    NONE = "none"

    @property
    def infiltrates(self) -> bool:
        """Diffuse glioma: no ring, blurred borders, little mass effect."""
        return self in (CaseKind.NON_ENHANCING, CaseKind.PATCHY)


KIND_WEIGHTS = {
    CaseKind.RING: 0.41,
    CaseKind.NON_ENHANCING: 0.14,
    CaseKind.PATCHY: 0.05,
    CaseKind.SOLID: 0.09,
    CaseKind.METASTASES: 0.11,
    CaseKind.CAVITY: 0.05,
    CaseKind.NONE: 0.15,
}


@dataclass(frozen=True)
class Lesion:
    """One focus: ``centre`` (x, y, z) in head space and ``radius`` in mm."""

    centre: Tensor
    radius: float
    kind: CaseKind


@dataclass(frozen=True)
class TumourMaps:
    """Soft fractions [D, H, W] that sum to <= 1.

    Necrotic core, enhancing tumour, oedema, and the fluid of a resection ``cavity``, which belongs
    to none of the regions.
    """

    necrosis: Tensor
    enhancing: Tensor
    oedema: Tensor
    cavity: Tensor

    @property
    def core(self) -> Tensor:
        """Necrotic and enhancing tumour together."""
        return self.necrosis + self.enhancing

    @property
    def whole(self) -> Tensor:
        """Core and oedema together."""
        return self.necrosis + self.enhancing + self.oedema


def plan_lesions(
    rng: Rng, atlas: Atlas, pose: HeadPose, grid: Grid, kind: CaseKind
) -> list[Lesion]:
    """Place the foci: in white matter more often than in grey, seldom in the hindbrain."""
    if kind is CaseKind.NONE:
        return []
    count = _draw_count(rng, kind)
    stride = max(1, round(4 / grid.voxel))
    positions = grid.positions(rng.device, stride)
    maps = sample(atlas.maps, atlas, pose.to_atlas(positions))
    likely = (maps[0] + 1.5 * maps[1]) * (maps[7] > 0.3) * (1 - 0.8 * maps[5])
    weights = likely.flatten().clamp_min(0)
    # A small block may hold no tissue at all: then its middle is as good as any other place.
    if not bool((weights > 0).sum() >= count):
        weights = torch.ones_like(weights)
    places = positions.flatten(1)[:, rng.places(weights, count).to(rng.device)].cpu()
    return [Lesion(places[:, i], _draw_radius(rng, kind), kind) for i in range(count)]


def _draw_count(rng: Rng, kind: CaseKind) -> int:
    if kind is CaseKind.METASTASES:
        return rng.integer(1, 7)
    return 1 if rng.event(0.88) else 2


def _draw_radius(rng: Rng, kind: CaseKind) -> float:
    if kind is CaseKind.METASTASES:
        return rng.log_uniform(2.2, 14)
    if kind.infiltrates:
        return rng.uniform(8, 34)
    # Small foci within wide oedema are common, and hard: hence the logarithm.
    return rng.log_uniform(3.5, 30)


def masses(rng: Rng, lesions: list[Lesion]) -> list[Mass]:
    """How much room each focus takes."""
    return [
        Mass(
            lesion.centre,
            lesion.radius,
            rng.uniform(0, 0.3 if lesion.kind is CaseKind.NON_ENHANCING else 0.55),
        )
        for lesion in lesions
    ]


def draw_tumour(rng: Rng, grid: Grid, anatomy: Anatomy, lesions: list[Lesion]) -> TumourMaps:
    """Grow every focus in its anatomy. Each is computed in its own box of the grid."""
    empty = torch.zeros(grid.shape, device=rng.device)
    tumour = TumourMaps(empty, empty.clone(), empty.clone(), empty.clone())
    for lesion in lesions:
        spread = _draw_oedema_spread(rng, lesion)
        reach = 1.7 * lesion.radius + 1.5 * spread + 6
        box = grid.slices_around(lesion.centre, reach)
        local = _LocalGrowth(rng, grid, anatomy, lesion, box)
        focus = local.grow(spread)
        _merge(tumour, focus, box)
    mask = anatomy.mask
    return TumourMaps(
        tumour.necrosis * mask,
        tumour.enhancing * mask,
        tumour.oedema * mask,
        tumour.cavity * mask,
    )


def _draw_oedema_spread(rng: Rng, lesion: Lesion) -> float:
    """How far oedema reaches beyond the core, in mm; 0 for none."""
    if lesion.kind.infiltrates:
        if not rng.event(0.85):
            return 0.0
        return rng.uniform(0.5, 5) if rng.event(0.5) else rng.uniform(4, 16)
    if not rng.event(0.92):
        return 0.0
    if lesion.kind is CaseKind.METASTASES:
        return rng.uniform(1, 22) * min(1.0, lesion.radius / 6)
    return rng.uniform(2, 28)


def _merge(tumour: TumourMaps, focus: TumourMaps, box: tuple[slice, slice, slice]) -> None:
    """Lay ``focus`` over ``tumour`` in ``box``, in place; sums stay <= 1.

    Core beats cavity, and both beat oedema.
    """
    necrosis = torch.maximum(tumour.necrosis[box], focus.necrosis)
    enhancing = torch.maximum(tumour.enhancing[box], focus.enhancing)
    excess = (necrosis + enhancing).clamp_min(1)
    necrosis, enhancing = necrosis / excess, enhancing / excess
    left = 1 - necrosis - enhancing
    cavity = torch.minimum(torch.maximum(tumour.cavity[box], focus.cavity), left)
    oedema = torch.maximum(tumour.oedema[box], focus.oedema)
    tumour.necrosis[box] = necrosis
    tumour.enhancing[box] = enhancing
    tumour.cavity[box] = cavity
    tumour.oedema[box] = torch.minimum(oedema, left - cavity)


class _LocalGrowth:
    """One focus in its box. ``inside`` is a level set in mm: positive within the tumour core."""

    def __init__(
        self,
        rng: Rng,
        grid: Grid,
        anatomy: Anatomy,
        lesion: Lesion,
        box: tuple[slice, slice, slice],
    ) -> None:
        self.rng, self.voxel, self.lesion = rng, grid.voxel, lesion
        self.white = blur((anatomy.white[box] * anatomy.mask[box])[None], (2 / grid.voxel,) * 3)[0]
        self.grey = anatomy.grey[box]
        self.csf = anatomy.csf[box]
        self.barrier = blur(self.csf[None], (1.2 / grid.voxel,) * 3)[0]
        self.midline = anatomy.midline[box]
        self.shape = tuple(self.grey.shape)
        self.inside = self._level_set(grid, box)

    def noise(self, scale: float) -> Tensor:
        return smooth_noise(self.rng, self.shape, self.voxel, scale)[0]

    def _level_set(self, grid: Grid, box: tuple[slice, slice, slice]) -> Tensor:
        rng, radius = self.rng, self.lesion.radius
        axes = [axis[part].to(rng.device) for axis, part in zip(grid.axes(), box, strict=True)]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        offset = torch.stack([x, y, z]) - self.lesion.centre.to(rng.device)[:, None, None, None]
        rotation = rng.rotation()
        stretch = torch.tensor([math.exp(rng.normal(0.22)) for _ in range(3)])
        stretch = stretch / stretch.prod() ** (1 / 3)
        ellipsoid = ((rotation / stretch) @ rotation.T).to(rng.device)
        distance = (ellipsoid @ offset.flatten(1)).reshape(offset.shape).norm(dim=0)
        irregular = rng.uniform(0.05, 0.3) * radius
        inside = radius - distance
        inside += irregular * self.noise(max(5, radius * rng.uniform(0.6, 1.3)))
        fine = max(3.0, radius * 0.35)
        inside += irregular * rng.uniform(0.1, 0.6) * self.noise(fine)
        if self.lesion.kind.infiltrates:
            inside += (self.white - 0.4) * rng.uniform(0, 6)
        inside -= self.barrier * rng.uniform(0, 5)
        if rng.event(0.7):
            # The falx stops growth across the midline; white matter (corpus callosum) lets it pass.
            index = [size // 2 for size in self.shape]
            side = 1.0 if float(self.midline[index[0], index[1], index[2]]) > 0 else -1.0
            across = torch.relu(-side * self.midline)
            inside -= across * rng.uniform(0.5, 2) * (1 - 0.7 * self.white)
        return inside

    def grow(self, spread: float) -> TumourMaps:
        rng, kind = self.rng, self.lesion.kind
        blurred = rng.uniform(0.6, 2.5) if kind.infiltrates else rng.uniform(0.4, 1.2)
        body = torch.sigmoid(self.inside / blurred)
        if rng.event(0.7 if kind.infiltrates else 0.25):
            # Sulci within a tumour, and the vessels in them, stay what they are.
            body = body * (1 - self.csf)
        none = torch.zeros_like(body)
        if kind is CaseKind.CAVITY:
            residual = self._residual(body)
            focus = TumourMaps(none, residual, none, body - residual)
        elif kind.infiltrates:
            focus = self._infiltrate(body)
        elif kind is not CaseKind.METASTASES and rng.event(0.1):
            focus = self._patches(body, rng.uniform(0.2, 1.1))
        else:
            enhancing = self._enhancing(body)
            focus = TumourMaps(body - enhancing, enhancing, none, none)
        if spread > 0:
            return replace(focus, oedema=focus.oedema + self._oedema(body, spread))
        return focus

    def _infiltrate(self, body: Tensor) -> TumourMaps:
        """Diffuse glioma, as labels of patients divide it (Baid et al. 2021, arXiv 2107.02314).

        Core is what enhances, or what is dark on T1; the rest, however much of it is tumour, is
        oedematous or invaded tissue, which share a label.
        """
        patchy = self.lesion.kind is CaseKind.PATCHY
        if patchy and self.rng.event(0.5):
            return self._patches(body, self.rng.uniform(0.7, 1.8))
        diffuse = self._diffuse(body)
        if not patchy:
            return diffuse
        foci = self._foci(body)
        return TumourMaps(
            diffuse.necrosis * (1 - foci), foci, diffuse.oedema * (1 - foci), diffuse.cavity
        )

    def _diffuse(self, body: Tensor) -> TumourMaps:
        rng, radius = self.rng, self.lesion.radius
        none = torch.zeros_like(body)
        if rng.event(0.5):
            return TumourMaps(body, none, none, none)
        texture = self.noise(max(5, radius * rng.uniform(0.4, 0.9)))
        deep = self.inside - radius * (rng.uniform(0, 0.9) + 0.25 * texture)
        core = body * torch.sigmoid(deep / rng.uniform(0.6, 2.5))
        return TumourMaps(core, none, body - core, none)

    def _foci(self, body: Tensor) -> Tensor:
        """One enhancing focus or few, mostly below a millilitre, in tumour that else does not."""
        rng = self.rng
        texture = self.noise(rng.uniform(4, 10))
        # Where the texture peaks: that there is a focus does not hang on the tumour's size.
        least = (texture * body).max() - rng.uniform(0.3, 1)
        return body * torch.sigmoid((texture - least) * 8)

    def _patches(self, body: Tensor, sparse: float) -> TumourMaps:
        """Enhancing patches, fewer the more ``sparse``, in tissue that is only invaded."""
        rng = self.rng
        texture = self.noise(max(4, self.lesion.radius * rng.uniform(0.2, 0.6)))
        patches = body * torch.sigmoid((texture - sparse) * 6)
        patches = patches * torch.sigmoid(self.inside - rng.uniform(0, 2))
        # What enhancing tumour encloses is core, whatever it looks like.
        reach = max(1.5, self.lesion.radius * 0.2) / self.voxel
        enclosed = blur(patches[None], (reach,) * 3)[0]
        enclosed = (body - patches) * torch.sigmoid((enclosed - 0.4) * 20)
        none = torch.zeros_like(body)
        return TumourMaps(enclosed, patches, body - patches - enclosed, none)

    def _residual(self, body: Tensor) -> Tensor:
        """Enhancing remnants along the wall of a resection cavity, in half of them."""
        rng = self.rng
        if rng.event(0.5):
            return torch.zeros_like(body)
        wall = torch.sigmoid((rng.uniform(1.5, 5) - self.inside) / 0.7)
        texture = self.noise(max(5, self.lesion.radius * rng.uniform(0.4, 0.9)))
        return body * wall * torch.sigmoid((texture - rng.uniform(-0.3, 1)) * 5)

    def _enhancing(self, core: Tensor) -> Tensor:
        """The part of ``core`` that takes up contrast agent."""
        rng, kind, radius = self.rng, self.lesion.kind, self.lesion.radius
        enhancing = core * (1 - self._necrosis())
        if kind is not CaseKind.METASTASES and rng.event(0.4):
            # Part of the rim is tumour that does not enhance.
            texture = self.noise(max(8, radius * 0.9))
            return enhancing * torch.sigmoid((rng.uniform(0.2, 1.2) - texture) * 4)
        return enhancing

    def _necrosis(self) -> Tensor:
        """Necrotic fraction of a ring: what lies deeper than the rim is thick."""
        rng, kind, radius = self.rng, self.lesion.kind, self.lesion.radius
        tiny = kind is CaseKind.METASTASES and (radius < 4 or rng.event(0.35))
        if kind is CaseKind.SOLID or tiny:
            return torch.zeros_like(self.inside)
        thinnest = max(0.8, 0.5 * self.voxel)
        rim = rng.log_uniform(thinnest, max(2.0, min(9.0, radius * 0.6)))
        texture = self.noise(max(5, radius * rng.uniform(0.4, 0.9)))
        deep = self.inside - rim - texture.abs() * rim * rng.uniform(0.2, 0.8)
        deep += texture * rng.uniform(0, 0.3) * rim
        return torch.sigmoid(deep / rng.uniform(0.35, 0.9))

    def _oedema(self, core: Tensor, spread: float) -> Tensor:
        rng = self.rng
        if rng.event(0.45):
            # Vasogenic fingers: follows white matter sharply and leaves cortex and nuclei alone.
            affinity = 0.1 + 1.1 * torch.sigmoid((self.white - rng.uniform(0.4, 0.65)) * 9)
        else:
            affinity = 0.25 + rng.uniform(0.6, 1.0) * self.white
        field = self.inside + spread * affinity
        field += spread * rng.uniform(0.1, 0.35) * self.noise(rng.uniform(8, 20))
        field -= self.barrier * rng.uniform(8, 20) + self.grey * rng.uniform(0, 0.5) * spread
        soft = torch.sigmoid(field / rng.uniform(0.6, 2.5))
        return soft * (1 - core) * (1 - self.csf)
