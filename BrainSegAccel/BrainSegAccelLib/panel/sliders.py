"""Sliders for what can be set about the labels: one for each region of a model, and more."""

from __future__ import annotations

from functools import partial
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from ..models.description import Outputs
from ..postprocessing.refinement import Refinement
from ..settings import Setting, settings_of
from .options import refinementOf
from .parameters import AS_THE_MODEL, BrainSegAccelParameterNode

LARGEST_SMALLEST_ML = 5.0
"""Where the slider of the smallest lesion ends."""


class Sliders:
    """Made from the regions of a model, the largest first; they write into a parameter node.

    :param ui: has slidersContents, which is empty and receives them, resetButton and refineHint.
    """

    def __init__(self, ui: Any) -> None:
        self._place, self._hint, self._reset = ui.slidersContents, ui.refineHint, ui.resetButton
        self._form: qt.QWidget | None = None
        self._outputs: Outputs | None = None
        self._parameters: BrainSegAccelParameterNode | None = None
        self._thresholds: dict[str, ctk.ctkSliderWidget] = {}
        self._smallest: ctk.ctkSliderWidget | None = None
        self._reset.clicked.connect(lambda *_checked: self._onReset())

    def show(
        self,
        parameters: BrainSegAccelParameterNode,
        outputs: Outputs | None,
        usable: bool,
    ) -> None:
        """Show the values of a parameter node.

        :param outputs: of the model that they are for; None if it cannot be read, and there are no
            sliders.
        :param usable: whether there is something to label again; else they are grey.
        """
        self._parameters = parameters
        if outputs != self._outputs:
            self._outputs = outputs
            self._build()
        if outputs is not None:
            resolved = refinementOf(parameters, outputs).resolve(outputs)
            for identifier, slider in self._thresholds.items():
                _move(slider, resolved.thresholds[identifier])
            _move(self._smallest, resolved.smallest_lesion_ml)
        if self._form is not None:
            self._form.enabled = usable
        self._reset.enabled = usable
        self._hint.text = (
            _("Labels follow at once, without running the network again.")
            if usable
            else _("Press Apply first: what the sliders work on is not saved in scenes.")
        )

    def _build(self) -> None:
        """Make a slider for each region of the model, in place of those that are there."""
        if self._form is not None:
            self._form.setParent(None)
            self._form.deleteLater()
        self._form, self._smallest = None, None
        self._thresholds.clear()
        if self._outputs is None:
            return
        self._form = qt.QWidget()
        rows = qt.QFormLayout(self._form)
        rows.setContentsMargins(0, 0, 0, 0)
        settings = {setting.name: setting for setting in settings_of(Refinement)}
        for region in self._outputs.scheme.outermost_first():
            slider = _slider(f"threshold{region.identifier}Slider", settings["thresholds"], 0.01)
            slider.toolTip = _(
                "Lower finds more {region}: probability above which a voxel counts"
            ).format(region=region.name)
            slider.valueChanged.connect(partial(self._onThreshold, region.identifier))
            self._thresholds[region.identifier] = slider
            _add_row(rows, region.name[:1].upper() + region.name[1:], slider)
        setting = settings["smallest_lesion_ml"]
        self._smallest = _slider("smallestLesionSlider", setting, 0.05)
        self._smallest.toolTip = setting.help
        self._smallest.valueChanged.connect(self._onSmallest)
        _add_row(rows, setting.title, self._smallest)
        self._place.layout().addWidget(self._form)

    def _onThreshold(self, identifier: str, value: float) -> None:
        if self._parameters is not None:
            chosen = dict(self._parameters.thresholds)
            self._parameters.thresholds = chosen | {identifier: round(value, 2)}

    def _onSmallest(self, value: float) -> None:
        if self._parameters is not None:
            self._parameters.smallestLesion = round(value, 2)

    def _onReset(self) -> None:
        """Put every slider back to where the model has it."""
        if self._parameters is not None:
            self._parameters.smallestLesion = AS_THE_MODEL
            self._parameters.thresholds = {}


def _slider(name: str, setting: Setting, step: float) -> ctk.ctkSliderWidget:
    slider = ctk.ctkSliderWidget()
    slider.objectName = name
    slider.minimum = setting.limits["ge"]
    slider.maximum = setting.limits.get("le", LARGEST_SMALLEST_ML)
    slider.decimals, slider.singleStep = 2, step
    slider.suffix = f" {setting.unit}" if setting.unit else ""
    return slider


def _add_row(rows: qt.QFormLayout, text: str, slider: ctk.ctkSliderWidget) -> None:
    label = qt.QLabel(f"{text}:")
    label.setBuddy(slider)
    rows.addRow(label, slider)


def _move(slider: ctk.ctkSliderWidget, value: float) -> None:
    """Show a value without writing it anywhere."""
    if abs(slider.value - value) > 1e-9:
        blocked = slider.blockSignals(True)
        slider.value = value
        slider.blockSignals(blocked)
