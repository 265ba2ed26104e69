"""Selectors of backend, precision, device and the like: what cannot run is greyed and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import qt
from slicer.i18n import tr as _

from ..backends.protocol import Device, Precision
from ..backends.survey import Combination
from ..models.package import shipped_models
from ..preprocessing.options import BrainExtraction, RegistrationMode
from .parameters import AUTO, MODEL_FILE, BrainSegAccelParameterNode, modelOf

_NAMES = {
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
    "eager": "PyTorch",
    "inductor": "PyTorch, compiled",
    "tensorrt": "TensorRT",
    "tvm": "TVM",
    "cpu": "CPU",
    "cuda": "NVIDIA GPU",
    "fp32": "FP32",
    "tf32": "TF32",
    "fp16": "FP16",
    "bf16": "BF16",
    "int8": "INT8",
}
_FLAGS, _SELECTABLE = 0x00FF, 0x0021
"""Role under which a combo box keeps an item's flags, one below ``Qt::UserRole``; and the flags
``ItemIsSelectable`` and ``ItemIsEnabled``."""


@dataclass(frozen=True)
class Choice:
    """One item of a selector.

    :param reason: why it cannot be selected here, and what would change that; empty if it can.
    """

    value: str
    label: str
    reason: str = ""


def displayName(name: str) -> str:
    """Return what people call a backend, device or precision."""
    return _NAMES.get(name, name)


def deviceChoices(combinations: Iterable[Combination]) -> list[Choice]:
    """Offer every device that there is a backend for."""
    answers = {str(device): [c for c in combinations if c.device is device] for device in Device}
    automatic = Choice(AUTO, _("Automatic"))
    return [automatic, *(_choice(name, found) for name, found in answers.items())]


def backendChoices(combinations: Iterable[Combination], device: str) -> list[Choice]:
    """Offer every backend; greyed if it does not run on the device."""
    answers: dict[str, list[Combination]] = {}
    for combination in combinations:
        found = answers.setdefault(combination.backend, [])
        if device in (AUTO, str(combination.device)):
            found.append(combination)
    automatic = Choice(AUTO, _("Automatic: the fastest measured here"))
    return [automatic, *(_choice(name, found) for name, found in answers.items())]


def precisionChoices(
    combinations: Iterable[Combination], device: str, backend: str
) -> list[Choice]:
    """Offer every precision; greyed if the backend does not run it on the device.

    An automatic backend brings its precision, see `backends.auto`; a given one runs in FP32.
    """
    fitting = [
        c for c in combinations if device in (AUTO, str(c.device)) and backend in (AUTO, c.backend)
    ]
    answers = {str(p): [c for c in fitting if c.precision is p] for p in Precision}
    unasked = _("Automatic: as good as FP32") if backend == AUTO else _("Automatic: FP32")
    automatic = Choice(AUTO, unasked)
    return [automatic, *(_choice(name, found) for name, found in answers.items())]


def modelChoices() -> list[Choice]:
    """Offer every shipped model, and one from a file."""
    shipped = [Choice(name, _("{name} (shipped)").format(name=name)) for name in shipped_models()]
    return [*shipped, Choice(MODEL_FILE, _("From a file"))]


def registrationChoices() -> list[Choice]:
    """Offer when volumes are aligned with the reference."""
    labels = {
        RegistrationMode.AUTO: _("Where volumes do not agree"),
        RegistrationMode.ON: _("Always"),
        RegistrationMode.OFF: _("Never"),
    }
    return [Choice(str(mode), label) for mode, label in labels.items()]


def brainExtractionChoices() -> list[Choice]:
    """Offer when the brain is looked for."""
    labels = {
        BrainExtraction.AUTO: _("Where there is more than a brain"),
        BrainExtraction.ON: _("Always"),
        BrainExtraction.OFF: _("Never"),
    }
    return [Choice(str(mode), label) for mode, label in labels.items()]


def _choice(name: str, answers: list[Combination]) -> Choice:
    label = displayName(name)
    if any(c.availability.ok for c in answers):
        return Choice(name, label)
    if not answers:
        return Choice(name, label, _("Nothing here runs it."))
    # The usual precision first: its reason says most.
    first = min(answers, key=lambda c: c.precision is not Precision.FP32).availability
    return Choice(name, label, f"{first.reason}; {first.remedy}" if first.remedy else first.reason)


class Selector:
    """A combo box that shows one parameter as a choice; a value that is not offered is shown too.

    :param changed: called with the value that the user selects.
    """

    def __init__(self, box: qt.QComboBox, changed: Callable[[str], None]) -> None:
        self._box = box
        self._changed = changed
        self._choices: list[Choice] = []
        box.activated.connect(self._onActivated)

    def show(self, choices: list[Choice], value: str) -> None:
        """Offer the choices and select a value."""
        if all(choice.value != value for choice in choices):
            unknown = _("{name} (not known here)").format(name=value)
            choices = [*choices, Choice(value, unknown, _("This computer does not know it."))]
        if choices != self._choices:
            self._choices = choices
            self._fill()
        self._box.currentIndex = [choice.value for choice in choices].index(value)
        self._box.toolTip = self.reason()

    def reason(self) -> str:
        """Return why the selected item cannot run; empty if it can."""
        return self._choices[self._box.currentIndex].reason if self._choices else ""

    def _fill(self) -> None:
        blocked = self._box.blockSignals(True)
        self._box.clear()
        for index, choice in enumerate(self._choices):
            self._box.addItem(choice.label)
            self._box.setItemData(index, choice.reason, qt.Qt.ToolTipRole)
            self._box.setItemData(index, 0 if choice.reason else _SELECTABLE, _FLAGS)
        self._box.blockSignals(blocked)

    def _onActivated(self, index: int) -> None:
        self._changed(self._choices[index].value)


class Selectors:
    """The selectors together, on one parameter node.

    :param ui: has registrationBox, brainExtractionBox, deviceBox, backendBox, precisionBox,
        modelBox and modelFileEdit.
    """

    def __init__(self, ui: Any) -> None:
        self._parameters: BrainSegAccelParameterNode | None = None
        self._combinations: tuple[Combination, ...] = ()
        self._modelFile, self._modelFileLabel = ui.modelFileEdit, ui.modelFileEditLabel
        self._modelFile.currentPathChanged.connect(partial(self._set, "modelFile"))
        self._selectors = {
            name: Selector(box, partial(self._set, name))
            for name, box in (
                ("registration", ui.registrationBox),
                ("brainExtraction", ui.brainExtractionBox),
                ("device", ui.deviceBox),
                ("backend", ui.backendBox),
                ("precision", ui.precisionBox),
                ("model", ui.modelBox),
            )
        }

    def setCombinations(self, combinations: tuple[Combination, ...]) -> None:
        """Learn what runs here."""
        self._combinations = combinations
        self.update()

    @property
    def combinations(self) -> tuple[Combination, ...]:
        """What is known to run here or not; empty before the worker has answered."""
        return self._combinations

    def setParameters(self, parameters: BrainSegAccelParameterNode | None) -> None:
        """Show a parameter node's values, or none."""
        self._parameters = parameters
        self.update()

    def update(self) -> None:
        """Show what the parameter node says now."""
        if self._parameters is None:
            return
        known, now = self._combinations, self._parameters
        offered = {
            "device": deviceChoices(known),
            "backend": backendChoices(known, now.device),
            "precision": precisionChoices(known, now.device, now.backend),
        }
        for name, choices in offered.items():
            value = getattr(now, name)
            if not known:  # Before the worker has answered, nothing is impossible.
                asked = Choice(value, displayName(value))
                choices = choices[:1] if value == AUTO else [choices[0], asked]
            self._selectors[name].show(choices, value)
        self._selectors["registration"].show(registrationChoices(), now.registration)
        self._selectors["brainExtraction"].show(brainExtractionChoices(), now.brainExtraction)
        self._selectors["model"].show(modelChoices(), now.model)
        if self._modelFile.currentPath != now.modelFile:
            self._modelFile.currentPath = now.modelFile
        self._modelFile.visible = self._modelFileLabel.visible = now.model == MODEL_FILE

    def impossible(self) -> str:
        """Return why the selected combination cannot run here; empty if it can."""
        for selector in self._selectors.values():
            if selector.reason():
                return selector.reason()
        if self._parameters is not None and not modelOf(self._parameters):
            return _("Choose the card of a model.")
        return ""

    def _set(self, name: str, value: str) -> None:
        if self._parameters is not None:
            setattr(self._parameters, name, value)
