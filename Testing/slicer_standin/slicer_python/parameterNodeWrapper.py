"""Typed parameters on a ``vtkMRMLScriptedModuleNode``, bound to widgets by their names.

What is imitated: parameters that are nodes, ``bool``, ``int``, ``float``, ``str`` or a ``dict`` of
``str`` to one of these; the annotations below; the binding of a parameter to the child widget whose
dynamic property ``SlicerParameterName`` names it. Values are stored as Slicer stores them, so that
scenes saved here and there can be exchanged.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ctk
import qt
import slicer


@dataclass
class Default:
    """The value of a parameter that was never set."""

    value: Any


@dataclass
class WithinRange:
    """Refuses values outside a closed range; also the range of the widget."""

    minimum: float
    maximum: float

    def validate(self, value: float) -> None:
        """Check a value."""
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


@dataclass
class Decimals:
    """Digits that a widget shows."""

    value: int


@dataclass
class SingleStep:
    """Step of a widget."""

    value: float


_EMPTY = {bool: False, int: 0, float: 0, str: ""}
_READ: dict[type, Callable[[str], Any]] = {bool: lambda text: text == "True"}


class _Parameter:
    """One parameter of a class: its type, its default, and how it is stored."""

    def __init__(self, name: str, hint: Any, default: list) -> None:
        self.name = name
        self.kind, *self.annotations = _split(hint)
        self.isNode = issubclass(self.kind, slicer.vtkMRMLNode)
        if not self.isNode and self.kind not in _EMPTY:
            raise TypeError(f"{name}: parameters of type {self.kind} are not imitated")
        declared = default + [a.value for a in self.annotations if isinstance(a, Default)]
        self.default = declared[0] if declared else _EMPTY.get(self.kind)

    def isIn(self, node) -> bool:
        return node.HasParameter(self.name)

    def annotation(self, kind: type) -> Any:
        return next((a for a in self.annotations if isinstance(a, kind)), None)

    def read(self, node) -> Any:
        if self.isNode:
            return node.GetNodeReference(self.name)
        return _READ.get(self.kind, self.kind)(node.GetParameter(self.name))

    def validate(self, value) -> None:
        allowed = (int, float) if self.kind is float else self.kind
        if not isinstance(value, allowed) and not (self.isNode and value is None):
            raise TypeError(f"{self.name} must be {self.kind}, not {value!r}")
        for annotation in self.annotations:
            if hasattr(annotation, "validate"):
                annotation.validate(value)

    def write(self, node, value) -> None:
        self.validate(value)
        with slicer.util.NodeModify(node):
            if self.isNode:
                node.SetParameter(self.name, "")
                node.SetNodeReferenceID(self.name, value.GetID() if value else None)
            else:
                node.SetParameter(self.name, str(value))


class _DictParameter:
    """A ``dict`` from ``str``, stored as Slicer does: its length, and each key and value."""

    isNode, annotations, kind = False, (), dict

    def __init__(self, name: str, hint: Any) -> None:
        self.name, self.default = name, {}
        key, value = typing.get_args(_split(hint)[0])
        if key is not str:
            raise TypeError(f"{name}: keys of type {key} are not imitated")
        self._value = value

    def isIn(self, node) -> bool:
        return node.HasParameter(f"{self.name}_len")

    def annotation(self, _kind: type) -> None:
        return None

    def read(self, node) -> dict:
        count = int(node.GetParameter(f"{self.name}_len") or 0)
        return {
            node.GetParameter(f"{self.name}_{index}_0"): self._entry(index).read(node)
            for index in range(count)
        }

    def write(self, node, value: dict) -> None:
        for one in value.values():
            self._entry(0).validate(one)
        with slicer.util.NodeModify(node):
            for index in range(len(value), len(self.read(node))):
                for part in (0, 1):
                    node.UnsetParameter(f"{self.name}_{index}_{part}")
            node.SetParameter(f"{self.name}_len", str(len(value)))
            for index, (key, one) in enumerate(value.items()):
                node.SetParameter(f"{self.name}_{index}_0", key)
                self._entry(index).write(node, one)

    def _entry(self, index: int) -> _Parameter:
        return _Parameter(f"{self.name}_{index}_1", self._value, [])


def _split(hint: Any) -> tuple:
    """Return a type and its annotations."""
    return typing.get_args(typing.Annotated[hint, None])[:-1]


@dataclass
class _Widget:
    """How a kind of widget shows a kind of value."""

    widget: type
    kinds: tuple
    signal: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], None]

    def fits(self, widget, parameter: _Parameter) -> bool:
        kinds = slicer.vtkMRMLNode if parameter.isNode else parameter.kind
        return type(widget) is self.widget and kinds in self.kinds


def _property(name: str) -> tuple[Callable, Callable]:
    return (lambda w: getattr(w, name), lambda w, value: setattr(w, name, value))


_WIDGETS = (
    _Widget(qt.QCheckBox, (bool,), "stateChanged", *_property("checked")),
    _Widget(qt.QPushButton, (bool,), "toggled", *_property("checked")),
    _Widget(qt.QSpinBox, (int,), "valueChanged", *_property("value")),
    _Widget(qt.QDoubleSpinBox, (float,), "valueChanged", *_property("value")),
    _Widget(ctk.ctkSliderWidget, (float,), "valueChanged", *_property("value")),
    _Widget(qt.QLineEdit, (str,), "textChanged", *_property("text")),
    _Widget(
        slicer.qMRMLNodeComboBox,
        (slicer.vtkMRMLNode,),
        "currentNodeChanged",
        lambda widget: widget.currentNode(),
        lambda widget, value: widget.setCurrentNode(value),
    ),
)


def _parameter(name: str, hint: Any, default: list) -> _Parameter | _DictParameter:
    if typing.get_origin(_split(hint)[0]) is dict:
        return _DictParameter(name, hint)
    return _Parameter(name, hint, default)


def parameterNodeWrapper(owner: type) -> type:
    """Make a class of annotated names a typed view of a parameter node."""
    parameters = {
        name: _parameter(name, hint, [getattr(owner, name)] if hasattr(owner, name) else [])
        for name, hint in typing.get_type_hints(owner, include_extras=True).items()
    }
    for name, parameter in parameters.items():
        setattr(
            owner,
            name,
            property(
                lambda self, p=parameter: p.read(self.parameterNode),
                lambda self, value, p=parameter: p.write(self.parameterNode, value),
            ),
        )
    owner.allParameters = parameters
    for name in ("__init__", *(n for n in vars(_Wrapper) if not n.startswith("__"))):
        setattr(owner, name, getattr(_Wrapper, name))
    return owner


class _Wrapper:
    """What every wrapper class can do."""

    def __init__(self, parameterNode) -> None:
        self.parameterNode = parameterNode
        self._guis: dict[int, tuple[int, list]] = {}
        self._writing = False
        for parameter in self.allParameters.values():
            if not parameter.isIn(parameterNode):
                parameter.write(parameterNode, parameter.default)

    def connectGui(self, gui) -> int:
        """Bind every widget that names a parameter; ``gui`` is a widget or holds widgets."""
        widgets = (
            gui.findChildren(qt.QWidget) if isinstance(gui, qt.QWidget) else vars(gui).values()
        )
        named = {w.property("SlicerParameterName"): w for w in widgets}
        return self.connectParametersToGui({name: w for name, w in named.items() if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Bind widgets by parameter name."""
        bound = []
        for name, widget in mapping.items():
            parameter = self.allParameters[name]
            kind = next((k for k in _WIDGETS if k.fits(widget, parameter)), None)
            if kind is None:
                raise RuntimeError(f"{type(widget).__name__} cannot show {name}")
            _limit(widget, parameter)
            kind.write(widget, parameter.read(self.parameterNode))

            def changed(*_, name=name, kind=kind, widget=widget) -> None:
                if not self._writing:
                    setattr(self, name, kind.read(widget))

            getattr(widget, kind.signal).connect(changed)
            bound.append((name, kind, widget, changed))
        tag = len(self._guis) and max(self._guis) + 1
        observer = self.AddObserver("ModifiedEvent", lambda *_: self._show(tag))
        self._guis[tag] = (observer, bound)
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Let go of the widgets."""
        observer, bound = self._guis.pop(tag)
        self.RemoveObserver(observer)
        for _, kind, widget, changed in bound:
            getattr(widget, kind.signal).disconnect(changed)

    def _show(self, tag: int) -> None:
        if self._writing or tag not in self._guis:
            return
        self._writing = True
        try:
            for name, kind, widget, _ in self._guis[tag][1]:
                kind.write(widget, getattr(self, name))
        finally:
            self._writing = False

    def AddObserver(self, event, callback, priority: float = 0.0) -> int:
        """Observe the parameter node."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """Stop observing it."""
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        """Hold back events of the parameter node."""
        return self.parameterNode.StartModify()

    def EndModify(self, wasModifying: int) -> None:
        """Let events out again."""
        self.parameterNode.EndModify(wasModifying)

    def Modified(self) -> None:
        """Tell observers."""
        self.parameterNode.Modified()


def _limit(widget, parameter: _Parameter) -> None:
    """Give a widget the range, step and digits of its parameter."""
    if bounds := parameter.annotation(WithinRange):
        widget.minimum, widget.maximum = bounds.minimum, bounds.maximum
    for kind, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
        if found := parameter.annotation(kind):
            setattr(widget, name, found.value)
