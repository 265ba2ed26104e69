"""Tissue maps of the ICBM152 average brain (shipped with nilearn), in the generator's axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..io.atomic import atomic_write

CHANNELS = (
    "grey",
    "white",
    "csf",
    "ventricle",
    "deep",
    "hindbrain",
    "residual",
    "depth",
)
DEPTH_LIMIT = 20.0
"""Millimetres below the brain surface beyond which the depth map stays constant."""

_Array = NDArray[np.float32]


@dataclass(frozen=True)
class Atlas:
    """The maps in 1 mm voxels; axes z, y, x in LPS order (z up, y backwards, x to the left).

    ``maps`` is [8, D, H, W] by :data:`CHANNELS`: tissue fractions of grey matter, white matter and
    CSF; ventricles, deep grey nuclei and hindbrain (subsets of them); the T1 template's residual
    after the tissues; depth below the surface in units of :data:`DEPTH_LIMIT`.
    ``outward`` is [3, D/2, H/2, W/2] in 2 mm voxels: the unit-scaled gradient (x, y, z) of the
    blurred ventricles. ``origin`` is the LPS position (x, y, z) of voxel 0 in mm, ``centre`` the
    middle of the brain's bounding box and ``extent`` its size, both (x, y, z) in mm.
    """

    maps: Tensor
    outward: Tensor
    origin: Tensor
    centre: Tensor
    extent: Tensor

    def to(self, device: torch.device) -> Atlas:
        """The same atlas with its maps on ``device``; the vectors stay on the CPU."""
        return Atlas(
            self.maps.to(device),
            self.outward.to(device),
            self.origin,
            self.centre,
            self.extent,
        )


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """Build the atlas from nilearn's files, or read it from the user's cache.

    :raises ImportError: without nilearn (the ``train`` extra).
    """
    import platformdirs
    from safetensors.torch import load_file, save_file

    path = Path(platformdirs.user_cache_dir("brainsegaccel")) / "icbm152-atlas-1.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as beside:
            save_file(_build(), beside)
    tensors = load_file(path)
    maps = tensors["maps"].float()
    origin = tensors["origin"]
    inside = (maps[:3].sum(0) > 0.5).nonzero().float().flip(1)
    low, high = inside.amin(0), inside.amax(0)
    return Atlas(maps, tensors["outward"].float(), origin, origin + (low + high) / 2, high - low)


def _build() -> dict[str, Tensor]:
    from scipy import ndimage

    (t1, grey, white), origin = _read_template()
    mask = (t1 > 0.02) | (grey + white > 0.1)
    mask = ndimage.binary_fill_holes(ndimage.binary_closing(mask, iterations=2))
    mask = ndimage.binary_erosion(mask, iterations=1)
    grey, white = grey * mask, white * mask
    csf = np.clip(1 - grey - white, 0, 1) * mask
    depth = ndimage.distance_transform_edt(mask).astype(np.float32)
    sizes = t1.shape
    axes = (np.arange(size) + origin[2 - axis] for axis, size in enumerate(sizes))
    z, y, x = np.meshgrid(*(axis.astype(np.float32) for axis in axes), indexing="ij")
    ventricle = _ventricles(csf, depth, z, y, x)
    deep_box = (np.abs(x) < 36) & (np.abs(x) > 1) & (y < 36) & (y > -26) & (z > -14) & (z < 24)
    deep = ndimage.gaussian_filter((deep_box & (depth > 24)).astype(np.float32), 2) * grey
    cerebellum = (z < -14) & (y > 34) & (z < 0.35 * (y - 34) - 18)
    brainstem = (np.abs(x) < 20) & (z < -18) & (y > 10)
    hindbrain = ndimage.gaussian_filter((cerebellum | brainstem).astype(np.float32), 1.5) * mask
    expected = grey * 0.72 + white + csf * 0.35
    residual = np.clip(t1 / np.median(t1[white > 0.9]) - expected, -0.3, 0.3) * mask
    relative_depth = np.minimum(depth, DEPTH_LIMIT) / DEPTH_LIMIT
    maps = np.stack([grey, white, csf, ventricle, deep, hindbrain, residual, relative_depth])
    blurred = ndimage.gaussian_filter(ventricle[::2, ::2, ::2], 4)
    gradient = np.stack(np.gradient(blurred)[::-1])
    gradient /= np.linalg.norm(gradient, axis=0).max()
    return {
        "maps": torch.from_numpy(maps).half().contiguous(),
        "outward": torch.from_numpy(gradient).half().contiguous(),
        "origin": torch.tensor(origin, dtype=torch.float32),
    }


def _read_template() -> tuple[tuple[_Array, _Array, _Array], tuple[float, float, float]]:
    """T1, grey and white maps scaled to 1, as (z, y, x) arrays in LPS, and their LPS origin."""
    import nibabel
    import nilearn

    folder = Path(nilearn.__file__).parent / "datasets" / "data"
    arrays = []
    origin = (0.0, 0.0, 0.0)
    for name in ("t1", "gm", "wm"):
        image = nibabel.load(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
        # nibabel gives (i, j, k) along R, A, S; LPS reverses the first two axes.
        array = np.asarray(image.dataobj, dtype=np.float32)[::-1, ::-1, :]
        last = (np.array(image.shape[:2]) - 1) + image.affine[:2, 3]
        origin = (-float(last[0]), -float(last[1]), float(image.affine[2, 3]))
        arrays.append((array.T / 255).astype(np.float32))
    return (arrays[0], arrays[1], arrays[2]), origin


def _ventricles(csf: _Array, depth: _Array, z: _Array, y: _Array, x: _Array) -> _Array:
    """The CSF that lies deep in the middle of the brain, in components of more than 150 mm3."""
    from scipy import ndimage

    box = (np.abs(x) < 45) & (y < 60) & (y > -40) & (z > -50) & (z < 35)
    labels, count = ndimage.label((csf > 0.5) & (depth > 14) & box)
    sizes = ndimage.sum_labels(np.ones_like(csf), labels, range(1, count + 1))
    kept = np.isin(labels, 1 + np.flatnonzero(sizes > 150))
    widened = ndimage.binary_dilation(kept, iterations=2).astype(np.float32)
    ventricles: _Array = ndimage.gaussian_filter(widened, 0.8) * csf
    return ventricles
