"""A picture of a result: the three views through the tumour, labels over the reference volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..geometry.resampling import to_image
from ..geometry.volume import Volume
from ..io.atomic import atomic_write
from ..study.label_scheme import LabelScheme
from ..study.modality import Modality, reference_of
from ..study.segmentation import Segmentation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BACKGROUND, _TEXT, _QUIET = "#0b0e13", "#e8ecf2", "#8b95a5"
_MARGIN_MM = 14
_SCALE_BAR_MM, _INSET_MM = 50, 8
_OVERLAY_ALPHA = 0.34
_DPI = 160
_HEIGHT_INCHES = 5.6


@dataclass(frozen=True)
class _View:
    """One plane through patient space.

    :param axis: array axis (k, j, i) across which is looked.
    :param letters: patient side at the left, right, top and bottom of the picture.
    :param flipped: rows run from the bottom up (superior is up).
    """

    name: str
    axis: int
    letters: tuple[str, str, str, str]
    flipped: bool


# In an LPS-aligned volume i runs to the patient's left, j to posterior, k to superior. Axial and
# coronal views look from the feet and from the front, so the patient's left is on the right.
_VIEWS = (
    _View("Axial", 0, ("R", "L", "A", "P"), flipped=False),
    _View("Coronal", 1, ("R", "L", "S", "I"), flipped=True),
    _View("Sagittal", 2, ("A", "P", "S", "I"), flipped=True),
)


def draw_result(volumes: Mapping[Modality, Volume], segmentation: Segmentation, path: Path) -> None:
    """Write a PNG with an axial, a coronal and a sagittal slice, each where the tumour is largest.

    Without a tumour the slices run through the middle of the head.

    :param volumes: a study; its reference modality is shown, on whatever grid it lies.
    :param segmentation: shown as translucent colour with a contour, and by its volumes in ml.
    """
    reference = reference_of(volumes)
    image, labels = _aligned(volumes[reference], segmentation)
    with atomic_write(path) as beside:
        figure = _figure(image, labels, segmentation, reference)
        figure.savefig(beside, format="png", dpi=_DPI, facecolor=_BACKGROUND)


def _aligned(
    volume: Volume, segmentation: Segmentation
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Resample both onto one grid of 1 mm along L, P and S, cropped to the head.

    :returns: image from 0 at its darkest to 1 at the 99.7th percentile of the head, and labels,
        both (k, j, i).
    """
    corners = volume.grid.corners()
    low = corners.min(axis=0)
    size = np.ceil(corners.max(axis=0) - low).astype(int)
    target = sitk.Image(*map(int, size), sitk.sitkUInt8)
    target.SetOrigin(low + 0.5)
    values = to_image(volume.array - volume.array.min(), volume.grid)
    image = sitk.GetArrayFromImage(sitk.Resample(values, target, sitk.Transform(), sitk.sitkLinear))
    labels = sitk.GetArrayFromImage(
        sitk.Resample(
            to_image(segmentation.labels, segmentation.grid),
            target,
            sitk.Transform(),
            sitk.sitkNearestNeighbor,
        )
    )
    bright = image > np.percentile(image, 99.5) * 0.12
    brightest = float(np.percentile(image[bright], 99.7)) if bright.any() else 0.0
    box = _box_of(bright | (labels > 0))
    return np.clip(image[box] / max(brightest, 1e-6), 0.0, 1.0), labels[box]


def _box_of(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the box that holds all but stray voxels of a mask, with a margin."""
    box = []
    for axis in range(3):
        counts = np.count_nonzero(mask, axis=tuple(a for a in range(3) if a != axis))
        inside = np.flatnonzero(counts > 0.01 * counts.max())
        first, last = (inside[0], inside[-1]) if inside.size else (0, counts.size - 1)
        box.append(slice(max(0, first - _MARGIN_MM), last + 1 + _MARGIN_MM))
    return tuple(box)


def _figure(
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    segmentation: Segmentation,
    reference: Modality,
) -> Figure:
    # Without pyplot: no global state, no window system, safe in a thread.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    k, j, i = image.shape
    widths, height = (i, i, j), max(j, k)
    panel = _HEIGHT_INCHES * 0.74
    figure = Figure(figsize=(panel * sum(widths) / height + 0.5, _HEIGHT_INCHES))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        1, 3, width_ratios=widths, left=0.02, right=0.98, top=0.88, bottom=0.15, wspace=0.04
    )
    for column, view in enumerate(_VIEWS):
        axes = figure.add_subplot(grid[0, column])
        index = _widest(labels, view.axis)
        shown, drawn = (np.moveaxis(array, view.axis, 0)[index] for array in (image, labels))
        _draw_slice(axes, shown, drawn, view, segmentation.scheme)
        if view is _VIEWS[0]:
            _draw_scale(axes)
    _draw_texts(figure, segmentation, reference)
    return figure


def _widest(labels: NDArray[np.uint8], axis: int) -> int:
    """Return the slice with most tumour, the middle one if there is none."""
    areas = np.count_nonzero(labels, axis=tuple(a for a in range(3) if a != axis))
    return int(areas.argmax()) if areas.any() else labels.shape[axis] // 2


def _draw_slice(
    axes: Axes,
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    view: _View,
    scheme: LabelScheme,
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    grey = LinearSegmentedColormap.from_list("grey", [_BACKGROUND, "white"])
    origin: Literal["lower", "upper"] = "lower" if view.flipped else "upper"
    axes.imshow(image, cmap=grey, vmin=0, vmax=1, origin=origin, interpolation="bilinear")
    overlay = np.zeros((*labels.shape, 4))
    for label in scheme.labels:
        colour = np.array(label.colour) / 255.0
        mask = labels == label.value
        overlay[mask] = (*colour, _OVERLAY_ALPHA)
        if mask.any():
            axes.contour(
                mask.astype(float),
                levels=[0.5],
                colors=[colour],
                linewidths=1.3,
                antialiased=True,
            )
    axes.imshow(overlay, origin=origin, interpolation="nearest")
    axes.set_anchor("C")
    axes.set_axis_off()
    axes.set_title(view.name, color=_QUIET, fontsize=10, pad=6)
    places = ((0.015, 0.5), (0.985, 0.5), (0.5, 0.985), (0.5, 0.015))
    alignment = (("left", "center"), ("right", "center"), ("center", "top"), ("center", "bottom"))
    for letter, place, (across, along) in zip(view.letters, places, alignment, strict=True):
        axes.text(
            *place,
            letter,
            transform=axes.transAxes,
            ha=across,
            va=along,
            color=_TEXT,
            fontsize=9,
            fontweight="bold",
            alpha=0.85,
        )


def _draw_scale(axes: Axes) -> None:
    """Draw a bar of 5 cm; a pixel is 1 mm."""
    right, bottom = axes.get_xlim()[1] - _INSET_MM, axes.get_ylim()[0] - _INSET_MM
    axes.plot([right - _SCALE_BAR_MM, right], [bottom, bottom], color=_TEXT, linewidth=2)
    axes.text(
        right - _SCALE_BAR_MM / 2,
        bottom - 3,
        f"{_SCALE_BAR_MM // 10} cm",
        color=_TEXT,
        fontsize=8,
        ha="center",
        va="bottom",
    )


def _draw_texts(figure: Figure, segmentation: Segmentation, reference: Modality) -> None:
    from matplotlib.patches import Patch

    volumes = segmentation.volumes_ml()
    found, scheme = bool(segmentation.labels.any()), segmentation.scheme
    figure.text(
        0.02, 0.955, "BrainSegAccel", color=_TEXT, fontsize=13, fontweight="bold", va="center"
    )
    figure.text(
        0.98,
        0.955,
        f"{reference.label} · slices with the largest tumour area"
        if found
        else f"{reference.label} · no tumour found",
        color=_QUIET,
        fontsize=10,
        ha="right",
        va="center",
    )
    handles = [
        Patch(
            facecolor=(*np.array(label.colour) / 255.0, 0.75),
            label=f"{label.name}  {volumes[label.identifier]:.1f} ml",
        )
        for label in scheme.labels
    ]
    figure.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(0.012, 0.085),
        ncols=len(handles),
        frameon=False,
        labelcolor=_TEXT,
        fontsize=10,
        handlelength=1.1,
        handleheight=1.1,
        columnspacing=1.8,
    )
    figure.text(
        0.98,
        0.085,
        " · ".join(
            f"{region.name} {volumes[region.identifier]:.1f} ml"
            for region in scheme.regions
            if len(region.labels) > 1
        ),
        color=_TEXT,
        fontsize=10,
        ha="right",
        va="center",
    )
    figure.text(
        0.5,
        0.025,
        "Research software, not a medical device",
        color=_QUIET,
        fontsize=8,
        ha="center",
        va="center",
    )
