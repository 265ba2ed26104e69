"""Qt as Slicer's Python sees it: every class in one module, every Qt property an attribute.

PythonQt, through which Slicer's modules use Qt, shows properties as attributes (``label.text``)
and keeps the setters (``label.setText``). PySide6 has setters and getters only, so each property
that a class declares to Qt's meta-object takes the place of its getter here.
"""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from PySide6.QtCore import *  # noqa: F403
from PySide6.QtGui import *  # noqa: F403
from PySide6.QtWidgets import *  # noqa: F403

_FUNCTIONS = {"sizeHint", "minimumSizeHint", "singleShot"}
"""Getters that Qt itself calls on classes written in Python, and QTimer's static function."""


def _attribute(name: str) -> property:
    def get(self):
        return self.property(name)

    def set(self, value) -> None:
        if not self.setProperty(name, value):
            raise TypeError(f"{type(self).__name__}.{name} does not take {value!r}")

    return property(get, set)


def _show_properties_as_attributes() -> None:
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            owner = getattr(module, name)
            meta = getattr(owner, "staticMetaObject", None)
            if not isinstance(owner, type) or meta is None or meta.className() != name:
                continue
            for index in range(meta.propertyOffset(), meta.propertyCount()):
                if (declared := meta.property(index).name()) not in _FUNCTIONS:
                    setattr(owner, declared, _attribute(declared))


_show_properties_as_attributes()
QtCore.QObject.name = _attribute("objectName")
for _name in ("getOpenFileName", "getSaveFileName"):  # PythonQt returns the name alone.
    _ask = getattr(QtWidgets.QFileDialog, _name)
    setattr(QtWidgets.QFileDialog, _name, staticmethod(lambda *a, ask=_ask: ask(*a)[0]))
QtCore.QObject.className = lambda self: self.metaObject().className()

CUSTOM_WIDGETS: list[type] = []
"""Classes that ``.ui`` files may name; `ctk` and `slicer_widgets` add theirs."""


class QUiLoader(QtUiTools.QUiLoader):
    """Loads ``.ui`` files that use ctk and qMRML widgets."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        for widget in CUSTOM_WIDGETS:
            self.registerCustomWidget(widget)

    def load(self, file, parent=None):
        """Load an open file. A VTK object in a signal's signature is a Python object to PySide6."""
        text = bytes(file.readAll()).replace(b"vtkMRMLScene*", b"PyObject")
        text = text.replace(b"vtkMRMLNode*", b"PyObject")
        buffer = QtCore.QBuffer()
        buffer.setData(text)
        buffer.open(QtCore.QIODevice.ReadOnly)
        return super().load(buffer, parent)
