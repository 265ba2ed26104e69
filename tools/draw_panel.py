"""Draw the panel of the Slicer module in its states, off screen, on the synthetic case.

The panel, the background process and the model are the real ones; Slicer's application is the
stand-in of the tests (Testing/slicer_standin). Writes docs/images/panel-STATE.png, and the state
with a result into Resources/Screenshot.png for the Extensions Manager.

    python tools/draw_panel.py [STATE ...]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SCREENSHOT = ROOT / "Resources" / "Screenshot.png"
MODULE = ROOT / "BrainSegAccel" / "BrainSegAccel.py"
WIDTH = 440
"""Of the panel in pixels, as wide as Slicer's module panel usually is."""
SECTIONS = ("inputs", "output", "acceleration", "advanced", "result", "refine", "measure", "batch")

sys.path.insert(0, str(ROOT / "Testing" / "slicer_standin"))
from start import start  # noqa: E402

slicer = start()
import numpy as np  # noqa: E402
import qt  # noqa: E402
from BrainSegAccelLib.study.modality import Modality  # noqa: E402
from module_window import ModuleWindow, live_until, register  # noqa: E402

from BrainSegAccel import BrainSegAccelWidget  # noqa: E402


class Stage(ModuleWindow):
    """The module's panel, and what a person does with it."""

    def __init__(self) -> None:
        slicer.mrmlScene.Clear(False)
        super().__init__(BrainSegAccelWidget)
        self.parent.resize(WIDTH, 100)
        self.ui = self.widget.ui
        slicer.app.processEvents()

    def load(self) -> None:
        """Load the synthetic case, and wait until it is known what runs here."""
        folder = MODULE.parent / "Resources" / "SampleData" / "phantom"
        for modality in Modality:
            path, name = folder / f"{modality}.nii.gz", f"phantom {modality.label}"
            slicer.util.loadVolume(str(path), properties={"name": name})
        live_until(lambda: self.ui.backendBox.count > 1)

    def apply(self, until: Callable[[], bool] | None = None) -> None:
        """Press Apply, and wait for the end or for something else; one backend, for speed."""
        self.widget._parameterNode.backend = "openvino"
        live_until(lambda: self.ui.applyButton.enabled)
        self.ui.applyButton.click()
        live_until(until or (lambda: not self.widget.panel.running))

    def show_only(self, *sections: str) -> None:
        """Open some sections and close the rest."""
        for name in SECTIONS:
            getattr(self.ui, f"{name}CollapsibleButton").collapsed = name not in sections

    def draw(self, path: Path) -> None:
        """Write the panel as it is now."""
        for _ in range(3):  # Labels that wrap need a width before they know their height.
            slicer.app.processEvents()
            height = self.parent.layout().heightForWidth(WIDTH)
            self.parent.resize(WIDTH, max(height, self.parent.minimumSizeHint().height()))
        slicer.app.processEvents()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.parent.grab().save(str(path)):
            raise SystemExit(f"{path} could not be written")


def packages(stage: Stage) -> None:
    """Nothing is installed yet."""
    stage.show_only("inputs", "output")


def empty(stage: Stage) -> None:
    """Nothing is loaded."""
    live_until(lambda: stage.ui.backendBox.count > 1)


def ready(stage: Stage) -> None:
    """The volumes were recognised."""
    stage.load()


def advanced(stage: Stage) -> None:
    """Everything that can be chosen."""
    stage.load()
    stage.show_only("acceleration", "advanced")


def running(stage: Stage) -> None:
    """The second run on this machine: share and time left are known."""
    stage.load()
    stage.apply()
    stage.show_only("inputs", "output", "acceleration")
    stage.apply(lambda: stage.ui.progressBar.maximum and stage.ui.progressBar.value > 300)


def result(stage: Stage) -> None:
    """Segments, volumes, latency, manifest of a second run, which starts and builds nothing."""
    stage.load()
    stage.apply()
    stage.apply()


def refine(stage: Stage) -> None:
    """The sliders, and a region to run again in."""
    stage.load()
    stage.apply()
    stage.show_only("refine")
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    roi.SetCenter(0.0, 0.0, 0.0)
    roi.SetSize(60.0, 60.0, 60.0)
    stage.ui.roiSelector.setCurrentNode(roi)
    slider = stage.ui.slidersContents.findChild(qt.QWidget, "thresholdWTSlider")
    slider.value = 0.4


def batch(stage: Stage) -> None:
    """The studies of the scene."""
    stage.load()
    stage.show_only("batch")
    stage.ui.findStudiesButton.click()


def error(stage: Stage) -> None:
    """A volume that cannot be used."""
    node = slicer.util.addVolumeFromArray(np.full((155, 240, 240), np.nan, "f4"), name="T2 FLAIR")
    live_until(lambda: stage.ui.flairSelector.currentNode() is node)
    stage.apply()


STATES = (packages, empty, ready, advanced, running, result, refine, batch, error)


def main() -> None:
    """Draw the states that are asked for, by default all."""
    names = [state.__name__ for state in STATES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("states", nargs="*", metavar="STATE", help=", ".join(names))
    parser.add_argument("--output", type=Path, default=IMAGES)
    chosen = parser.parse_args()
    register(MODULE)
    is_installed = slicer.packaging.pip_check
    for state in STATES:
        name = state.__name__
        if chosen.states and name not in chosen.states:
            continue
        # This Python has every package; the panel is to see one that has none.
        slicer.packaging.pip_check = (lambda _: False) if state is packages else is_installed
        stage = Stage()
        try:
            state(stage)
            stage.draw(chosen.output / f"panel-{name}.png")
        finally:
            stage.close()
    drawn = chosen.output / "panel-result.png"
    if chosen.output == IMAGES and drawn.exists():
        shutil.copyfile(drawn, SCREENSHOT)


if __name__ == "__main__":
    main()
