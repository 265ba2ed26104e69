"""The panel: says what is missing until the packages are there, and works from then on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from .inputs import fillInputs
from .packages import Packages, installTorch
from .parameters import BrainSegAccelParameterNode, inputsOf
from .questions import Questions

if TYPE_CHECKING:
    from ..worker.client import Worker
    from .workbench import Workbench


class Panel:
    """The widgets of ``BrainSegAccel.ui`` at work.

    It opens without any package beyond Slicer's own; what needs more is in `workbench`.

    :param ui: the widgets by name.
    :param makeWorker: makes the client of the background process.
    """

    def __init__(self, ui: Any, questions: Questions, makeWorker: Callable[[], Worker]) -> None:
        self._ui = ui
        self._questions = questions
        self._makeWorker = makeWorker
        self._packages = Packages(questions)
        self._parameters: BrainSegAccelParameterNode | None = None
        self._workbench: Workbench | None = None
        ui.installButton.clicked.connect(lambda *_checked: self._install())
        ui.installTorchButton.clicked.connect(lambda *_checked: self._installTorch())
        ui.findButton.clicked.connect(lambda *_checked: self._find())
        hidden = (ui.applyHint, ui.progressBar, ui.stageLabel, ui.messageLabel, ui.logButton)
        for widget in hidden:
            widget.visible = False
        self.checkPackages()

    @property
    def running(self) -> bool:
        """Whether something is in progress."""
        return self._workbench is not None and self._workbench.running

    def setParameters(self, parameters: BrainSegAccelParameterNode | None) -> None:
        """Work on a parameter node, or on none."""
        self._parameters = parameters
        if self._workbench is not None:
            self._workbench.setParameters(parameters)
        self.fillEmptyInputs()

    def update(self) -> None:
        """Show what the parameter node says now."""
        if self._workbench is not None:
            self._workbench.update()

    def fillEmptyInputs(self) -> None:
        """Select volumes of the scene, unless the user has selected any."""
        if self._parameters is not None and not inputsOf(self._parameters):
            fillInputs(self._parameters)

    def checkPackages(self) -> None:
        """Say which packages are missing, or start to work."""
        ui, missing = self._ui, self._packages.describe()
        ui.packagesFrame.visible = bool(missing)
        ui.packagesLabel.text = missing
        if missing:
            ui.applyButton.toolTip = _("Install the Python packages first.")
            self._enableSections(False)
        elif self._workbench is None:
            from .workbench import Workbench

            self._enableSections(True)
            self._workbench = Workbench(ui, self._makeWorker(), self._questions)
            self._workbench.setParameters(self._parameters)

    def sceneCloses(self) -> None:
        """Let go of everything that goes with the scene."""
        if self._workbench is not None:
            self._workbench.sceneCloses()

    def close(self) -> None:
        """End the background process."""
        if self._workbench is not None:
            self._workbench.close()
            self._workbench = None

    def _enableSections(self, enabled: bool) -> None:
        """Grey what does nothing before the packages are there."""
        ui = self._ui
        for section in (
            *(ui.accelerationCollapsibleButton, ui.advancedCollapsibleButton),
            *(ui.resultCollapsibleButton, ui.refineCollapsibleButton),
            *(ui.measureCollapsibleButton, ui.batchCollapsibleButton),
        ):
            section.enabled = enabled

    def _find(self) -> None:
        if self._parameters is not None:
            self._ui.findHint.text = fillInputs(self._parameters)

    def _install(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("Python packages could not be installed.")):
            self._packages.install()
        self.checkPackages()

    def _installTorch(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("PyTorch could not be installed.")):
            if not installTorch():
                slicer.util.infoDisplay(
                    _("Install the extension PyTorch with the Extensions Manager first.")
                )
