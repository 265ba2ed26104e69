"""Draw the icon: an axial slice with a tumour in the three segment colours, at speed.

    python tools/draw_icon.py        writes both icons of the extension (128 x 128)

Shapes are signed distances on a plane of [-1, 1]², y upwards: negative inside.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "BrainSegAccel"))

from BrainSegAccelLib.models.package import DEFAULT_MODEL, load_package  # noqa: E402

SIZE = 128
SAMPLES = 8
"""Per pixel and axis, averaged: smooth edges."""

NIGHT, SKULL, CORTEX, WHITE, FLUID = (
    (16, 26, 44),
    (70, 86, 112),
    (148, 160, 180),
    (198, 206, 218),
    (52, 64, 88),
)
STREAK = (255, 120, 90)
SCHEME = load_package(DEFAULT_MODEL).card.outputs.scheme
COLOURS = {label.identifier: label.colour for label in SCHEME.labels}
OUTPUTS = (
    ROOT / "Resources" / "BrainSegAccel.png",
    ROOT / "BrainSegAccel" / "Resources" / "Icons" / "BrainSegAccel.png",
)

Plane = NDArray[np.float64]


def ellipse(x: Plane, y: Plane, cx: float, cy: float, rx: float, ry: float) -> Plane:
    """Approximate distance to an ellipse."""
    return (np.hypot((x - cx) / rx, (y - cy) / ry) - 1.0) * min(rx, ry)


def wavy(
    distance: Plane,
    x: Plane,
    y: Plane,
    centre: tuple[float, float],
    waves: int,
    depth: float,
    phase: float,
) -> Plane:
    """Ripple a contour around a centre."""
    angle = np.arctan2(y - centre[1], x - centre[0])
    return (
        distance + depth * np.sin(waves * angle + phase) + 0.5 * depth * np.sin((waves + 5) * angle)
    )


def rounded_square(x: Plane, y: Plane, half: float, radius: float) -> Plane:
    """Distance to a square with round corners."""
    dx, dy = np.abs(x) - half + radius, np.abs(y) - half + radius
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return outside + np.minimum(np.maximum(dx, dy), 0) - radius


def streak(x: Plane, y: Plane, start: float, end: float, at: float, thickness: float) -> Plane:
    """Distance to a horizontal bar with round ends."""
    nearest = np.clip(x, start, end)
    return np.hypot(x - nearest, y - at) - thickness


def draw(size: int = SIZE) -> NDArray[np.float64]:
    """Return the icon as RGBA (size, size, 4), 0 to 1."""
    n = size * SAMPLES
    axis = (np.arange(n) + 0.5) / n * 2.0 - 1.0
    x, y = np.meshgrid(axis, -axis)
    canvas = np.zeros((n, n, 4))

    def paint(distance: Plane, colour: tuple[int, int, int]) -> None:
        canvas[distance < 0] = (*(np.array(colour) / 255.0), 1.0)

    hx = 0.18  # the head leans right, away from its streaks
    paint(rounded_square(x, y, 0.97, 0.28), NIGHT)
    for start, end, at in ((-0.82, -0.50, 0.40), (-0.88, -0.60, 0.0), (-0.76, -0.51, -0.40)):
        paint(streak(x, y, start, end, at, 0.045), STREAK)
    paint(ellipse(x, y, hx, 0.0, 0.64, 0.78), SKULL)
    paint(ellipse(x, y, hx, 0.0, 0.585, 0.725), NIGHT)
    brain = wavy(ellipse(x, y, hx, 0.0, 0.54, 0.68), x, y, (hx, 0.0), 17, 0.016, 0.4)
    paint(brain, CORTEX)
    inner = wavy(ellipse(x, y, hx, 0.0, 0.43, 0.56), x, y, (hx, 0.0), 17, 0.035, 0.4)
    paint(inner, WHITE)
    paint(np.maximum(np.abs(x - hx) - 0.014, np.abs(y) - 0.60), FLUID)
    for side in (-1.0, 1.0):
        # A horn: a lens whose middle line bends away from the midline at both ends.
        middle = hx + side * (0.075 + 0.55 * (y - 0.03) ** 2)
        width = 0.045 * np.sqrt(np.clip(1.0 - ((y - 0.03) / 0.27) ** 2, 0.0, 1.0))
        paint(np.abs(x - middle) - width, FLUID)

    tx, ty = hx + 0.28, 0.20
    around = (tx, ty)
    oedema = wavy(ellipse(x, y, tx, ty, 0.24, 0.31), x, y, around, 4, 0.022, 1.0)
    paint(np.maximum(oedema, brain), COLOURS["oedema"])
    enhancing = wavy(ellipse(x, y, tx, ty, 0.155, 0.175), x, y, around, 3, 0.012, 0.0)
    paint(enhancing, COLOURS["enhancing_tumour"])
    necrotic = wavy(ellipse(x, y, tx - 0.01, ty, 0.085, 0.095), x, y, around, 3, 0.012, 2.0)
    paint(necrotic, COLOURS["necrotic_core"])

    blocks = canvas.reshape(size, SAMPLES, size, SAMPLES, 4)
    alpha = blocks[..., 3].mean((1, 3))
    colour = blocks[..., :3].sum((1, 3)) / np.maximum(blocks[..., 3].sum((1, 3)), 1)[..., None]
    return np.dstack([colour, alpha])


def main() -> None:
    """Write the icon where Slicer's build and the extensions catalogue look for it."""
    icon = draw()
    for path in OUTPUTS:
        path.parent.mkdir(parents=True, exist_ok=True)
        imsave(path, icon, metadata={"Software": None})


if __name__ == "__main__":
    main()
