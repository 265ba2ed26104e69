"""What each tissue looks like on each sequence: four ideal images of one head.

Intensities are relative: normal white matter on T1 is about one, air is zero. Ranges are wide on
purpose; correlations that hold on real scans (oedema is not darker than CSF on T1, FLAIR nulls
CSF) are kept, those that do not are broken (T2 and FLAIR oedema are drawn apart).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .anatomy import Anatomy
from .geometry import Grid
from .lesions import CaseKind, TumourMaps
from .mimics import Mimics
from .noise import blur, smooth_noise
from .rng import Rng


@dataclass(frozen=True)
class TissueContrast:
    """Intensities of grey matter, white matter and CSF, and offsets of what lies within them."""

    grey: float
    white: float
    csf: float
    deep: float
    hindbrain: float
    ventricle: float
    residual: float

    def render(self, anatomy: Anatomy) -> Tensor:
        """The healthy head [D, H, W]."""
        image = anatomy.grey * self.grey + anatomy.white * self.white + anatomy.csf * self.csf
        image += anatomy.deep * self.deep + anatomy.ventricle * self.ventricle
        inner = anatomy.hindbrain * self.hindbrain + anatomy.residual * self.residual
        return image.add_(inner * (1 - anatomy.csf))


@dataclass(frozen=True)
class LesionContrast:
    """Intensities of oedema, of necrotic or non-enhancing core and of enhancing tumour."""

    oedema: float
    necrosis: float
    enhancing: float


def _t1(rng: Rng) -> TissueContrast:
    csf = rng.uniform(0.08, 0.45)
    grey = rng.uniform(0.55, 0.8)
    # Spin echoes show the two tissues nearly alike.
    white = grey + (rng.uniform(0.03, 0.14) if rng.event(0.35) else rng.uniform(0.1, 0.38))
    return TissueContrast(
        grey=grey,
        white=white,
        csf=csf,
        deep=rng.uniform(0, 0.6) * (white - grey),
        hindbrain=rng.uniform(-0.06, 0.06),
        ventricle=rng.uniform(-0.1, 0.03),
        residual=rng.uniform(0, 1),
    )


def _after_contrast_agent(rng: Rng, t1: TissueContrast) -> TissueContrast:
    """The T1 contrast as a second acquisition shows it."""
    grey = t1.grey * rng.uniform(0.93, 1.07)
    return TissueContrast(
        grey=grey,
        white=grey + (t1.white - t1.grey) * rng.uniform(0.6, 1.2),
        csf=t1.csf * rng.uniform(0.85, 1.15),
        deep=t1.deep * rng.uniform(0.8, 1.2),
        hindbrain=t1.hindbrain + rng.uniform(-0.03, 0.05),
        ventricle=t1.ventricle,
        residual=t1.residual * rng.uniform(0.8, 1.2),
    )


def _t2(rng: Rng) -> TissueContrast:
    grey = rng.uniform(0.38, 0.62)
    return TissueContrast(
        grey=grey,
        white=grey - rng.uniform(0.03, 0.22),
        csf=rng.uniform(0.85, 1.5),
        deep=rng.uniform(-0.12, 0.02),
        hindbrain=rng.uniform(-0.05, 0.05),
        ventricle=rng.uniform(-0.1, 0.15),
        residual=-rng.uniform(0, 0.5),
    )


def _flair(rng: Rng) -> TissueContrast:
    grey = rng.uniform(0.48, 0.7)
    return TissueContrast(
        grey=grey,
        white=grey - rng.uniform(-0.03, 0.2),
        csf=rng.uniform(0.04, 0.36),
        deep=rng.uniform(-0.12, 0.02),
        hindbrain=rng.uniform(-0.07, 0.05),
        ventricle=rng.uniform(-0.08, 0.02),
        residual=-rng.uniform(0, 0.5),
    )


def _lesion_contrasts(
    rng: Rng, kind: CaseKind, t1: TissueContrast, t2: TissueContrast, flair: TissueContrast
) -> tuple[LesionContrast, LesionContrast, LesionContrast]:
    """On T1 (before contrast agent), T2 and FLAIR."""
    # Many oedemas are markedly dark on T1, though never as dark as necrosis can be.
    darkening = rng.uniform(0.15, 0.38) if rng.event(0.35) else rng.uniform(-0.02, 0.2)
    if rng.event(0.25):
        # Mild oedema hardly leaves white matter's intensity.
        darkening = -rng.uniform(0, 0.5) * (t1.white - t1.grey)
    if kind.infiltrates:
        darkening = rng.uniform(-0.4 * (t1.white - t1.grey), 0.08)
    oedema1 = max(t1.grey - darkening, t1.csf + 0.06)
    oedema2 = t2.grey + (rng.uniform(0.05, 0.3) if rng.event(0.3) else rng.uniform(0.2, 0.85))
    oedemaf = flair.grey + rng.uniform(0.2, 0.95)
    if kind.infiltrates:
        # Darkness on T1 is what makes it core: else it would be called invaded tissue.
        core1 = max(t1.csf * 0.9, oedema1 - rng.uniform(0.08, 0.35))
        core2 = oedema2 + rng.uniform(-0.1, 0.45)
        if rng.event(0.7):
            coref = oedemaf + rng.uniform(-0.25, 0.2)
        else:
            coref = flair.grey + rng.uniform(-0.15, 0.15)
    else:
        # Protein, old blood and dense cells bring some cores to the brain's own level, or above.
        core1 = rng.uniform(t1.csf, t1.grey * 0.95)
        if rng.event(0.2):
            core1 = t1.grey * rng.uniform(0.85, 1.2)
        core2 = rng.uniform(t2.grey + 0.1, t2.csf * 1.02)
        coref = rng.uniform(flair.csf, oedemaf + 0.1)
    return (
        LesionContrast(oedema1, core1, t1.grey + rng.uniform(-0.12, 0.3)),
        LesionContrast(oedema2, core2, t2.grey + rng.uniform(0, 0.45)),
        LesionContrast(oedemaf, coref, flair.grey + rng.uniform(0.05, 0.6)),
    )


@dataclass(frozen=True)
class Sequences:
    """Ideal images [T1, T1c, T2, FLAIR] of [D, H, W], without noise, bias or blur.

    ``bright`` [D, H, W] in 0 to 1 passes 0.5 where T1c outshines T1 and healthy white matter.
    """

    images: list[Tensor]
    bright: Tensor


class _Painter:
    """Paints tumour over healthy images with textures that all sequences share."""

    def __init__(self, rng: Rng, grid: Grid, anatomy: Anatomy, tumour: TumourMaps) -> None:
        self.anatomy, self.tumour = anatomy, tumour
        self.healthy = (1 - tumour.whole).clamp_min(0)
        self.fine, self.coarse = (
            smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(low, high))[0]
            for low, high in ((2.5, 8), (8, 18))
        )
        self.texture = 0.5 * self.fine + 0.6 * self.coarse
        # Oedema shifts the tissue's own intensity, unevenly, and fades outwards.
        width = rng.uniform(2.4, 6) / grid.voxel
        inner = ((blur(tumour.whole[None], (width,) * 3)[0] - 0.5) * 2).clamp(0, 1)
        strength = rng.uniform(0.75, 1) + self.coarse * rng.uniform(0, 0.22)
        patches = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(6, 12))[0]
        strength += patches * rng.uniform(0, 0.15)
        self.strength = (strength - (1 - inner) * rng.uniform(0, 0.6)).clamp_(0.35, 1.35)
        self.anatomy_shows = rng.uniform()

    def paint(self, tissue: TissueContrast, lesion: LesionContrast, rng: Rng) -> Tensor:
        anatomy, tumour = self.anatomy, self.tumour
        image = tissue.render(anatomy)
        texture = self.texture * rng.uniform(0, 0.16)
        below = anatomy.grey * tissue.grey + anatomy.white * tissue.white
        below += anatomy.csf * tissue.csf
        below = torch.lerp(torch.full_like(below, tissue.grey), below, self.anatomy_shows)
        # Cortex and fibres stay visible within oedema and invaded tissue, if less than outside.
        shifted = lesion.oedema + 0.5 * (below - tissue.grey)
        oedema = torch.lerp(below, shifted, self.strength)
        oedema += texture * abs(lesion.oedema - tissue.grey)
        image *= self.healthy
        image += tumour.oedema * oedema
        image += tumour.necrosis * (texture + lesion.necrosis)
        image += tumour.enhancing * (texture + lesion.enhancing)
        return image


def render_sequences(
    rng: Rng,
    grid: Grid,
    kind: CaseKind,
    anatomy: Anatomy,
    tumour: TumourMaps,
    mimics: Mimics,
) -> Sequences:
    """Paint the four sequences of one head."""
    tissue1, tissue2, tissuef = _t1(rng), _t2(rng), _flair(rng)
    tissuec = _after_contrast_agent(rng, tissue1)
    lesion1, lesion2, lesionf = _lesion_contrasts(rng, kind, tissue1, tissue2, tissuef)
    painter = _Painter(rng, grid, anatomy, tumour)
    outside = (1 - tumour.core).clamp_min(0)
    healthy = painter.healthy

    t1 = painter.paint(tissue1, lesion1, rng)
    lesionc = LesionContrast(
        lesion1.oedema + rng.uniform(-0.04, 0.04),
        lesion1.necrosis + rng.uniform(-0.05, 0.12),
        lesion1.enhancing,
    )
    t1c = painter.paint(tissuec, lesionc, rng)
    # Blood, fat or protein is bright before contrast agent too: only T1c against T1 tells.
    blood = mimics.blood * rng.uniform(0.1, 0.5)
    if rng.event(0.15):
        clots = torch.sigmoid((painter.coarse - rng.uniform(0, 1)) * 5)
        blood = blood + tumour.necrosis * clots * rng.uniform(0.1, 0.5)
    t1 += blood
    t1c += blood * rng.uniform(0.7, 1.1)

    uptake = rng.log_uniform(0.25, 1.4)
    uneven = 1 + painter.fine * rng.uniform(0, 0.35) + painter.coarse * rng.uniform(0, 0.2)
    t1c += tumour.enhancing * uneven.clamp_(min=0.25) * uptake
    # Blood that flows is dark but for the contrast agent in it; slow blood less so.
    vessels = mimics.vessels * rng.uniform(0.4, 1)
    before = rng.uniform(0.5 * tissue1.csf, tissue1.grey)
    t1 += vessels * (before - t1)
    t1c += vessels * (before - t1c)
    normal = mimics.meninges * rng.uniform(0, 0.7) + mimics.sinus * rng.uniform(0, 1.2)
    normal += mimics.falx * rng.uniform(0, 0.6) + mimics.plexus * rng.uniform(0, 1)
    t1c += normal * outside * rng.uniform(0.1, 1.6) + vessels * rng.uniform(0.2, 1.8)
    t1 += mimics.meninges * rng.uniform(-0.2, 0.15)
    bright = torch.sigmoid((t1c - (t1 + 0.1).clamp_min(tissuec.white)) * 25)

    t2 = painter.paint(tissue2, lesion2, rng)
    spots = healthy * mimics.white_matter_lesions
    t2 += spots * rng.uniform(0.05, 0.4) + mimics.meninges * rng.uniform(-0.5, 0.1)
    t2 += mimics.sinus * rng.uniform(-0.5, 0) + mimics.falx * rng.uniform(-0.4, 0)
    t2 += vessels * (rng.uniform(0, 0.7) - t2)

    flair = painter.paint(tissuef, lesionf, rng)
    flair += spots * rng.uniform(0.1, 0.5) + mimics.meninges * rng.uniform(-0.15, 0.35)
    flair += mimics.sinus * rng.uniform(-0.2, 0.2) + mimics.falx * rng.uniform(0, 0.25)
    flair += vessels * (rng.uniform(0, 0.5) - flair)
    if rng.event(0.3):
        # CSF that flows is not nulled.
        flow = smooth_noise(rng, grid.shape, grid.voxel, rng.uniform(12, 20))[0]
        flair += anatomy.ventricle * torch.sigmoid(flow * 3 - 2) * rng.uniform(0.1, 0.5)
    return Sequences([t1, t1c, t2, flair], bright)
