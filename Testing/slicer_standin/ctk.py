"""The ctk widgets that the panel uses, with ctk's properties, signals and defaults."""

from __future__ import annotations

import qt
from PySide6.QtCore import Property, Signal, Slot


class ctkCollapsibleButton(qt.QAbstractButton):
    """A header that hides and shows its children; checked while they are shown."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments) -> None:
        texts = [a for a in arguments if isinstance(a, str)]
        super().__init__(*[a for a in arguments if not isinstance(a, str)])
        self.setText("".join(texts))
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(qt.QSizePolicy.Minimum, qt.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self.toggled.connect(self._show_children)

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 10

    def childEvent(self, event) -> None:
        """Hide what is added while collapsed."""
        super().childEvent(event)
        child = event.child()
        if event.added() and child.isWidgetType() and not self.checked:
            child.setVisible(False)

    def _show_children(self, shown: bool) -> None:
        for child in self.children():
            if child.isWidgetType():
                child.setVisible(shown)
        self.updateGeometry()
        self.contentsCollapsed.emit(not shown)

    def _collapsed(self) -> bool:
        return not self.checked

    def _set_collapsed(self, value: bool) -> None:
        self.setChecked(not value)

    collapsed = Property(bool, _collapsed, _set_collapsed)

    def sizeHint(self):
        """Header, and the contents below it while they are shown."""
        header = qt.QSize(self.fontMetrics().horizontalAdvance(self.text) + 40, 0)
        if self.layout() is not None and self.checked:
            return self.layout().totalSizeHint().expandedTo(header)
        return header.expandedTo(qt.QSize(0, self._header_height()))

    def minimumSizeHint(self):
        """As the size hint."""
        return self.sizeHint()

    def hitButton(self, position) -> bool:
        """Only the header takes clicks."""
        return position.y() < self._header_height()

    def paintEvent(self, event) -> None:
        """Draw the header."""
        painter = qt.QPainter(self)
        option = qt.QStyleOptionButton()
        option.initFrom(self)
        option.rect = qt.QRect(0, 0, self.width, self._header_height() - 2)
        self.style().drawControl(qt.QStyle.CE_PushButtonBevel, option, painter, self)
        down, right = qt.QStyle.PE_IndicatorArrowDown, qt.QStyle.PE_IndicatorArrowRight
        mark = qt.QStyleOption()
        mark.initFrom(self)
        mark.rect = qt.QRect(8, self._header_height() // 2 - 6, 10, 10)
        self.style().drawPrimitive(down if self.checked else right, mark, painter, self)
        painter.drawText(
            option.rect.adjusted(26, 0, -6, 0), qt.Qt.AlignLeft | qt.Qt.AlignVCenter, self.text
        )


class ctkSliderWidget(qt.QWidget):
    """A slider with a spin box; ``valueChanged`` comes while dragging if ``tracking`` is on."""

    STEPS = 1000

    valueChanged = Signal(float)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._slider = qt.QSlider(qt.Qt.Horizontal, self)
        self._slider.setRange(0, self.STEPS)
        self._box = qt.QDoubleSpinBox(self)
        self._box.setRange(0.0, 99.0)
        self._box.setKeyboardTracking(False)
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._box.valueChanged.connect(self._from_box)
        self._slider.valueChanged.connect(self._from_slider)

    def _from_slider(self, position: int) -> None:
        low, high = self._box.minimum, self._box.maximum
        self._box.setValue(low + (high - low) * position / self.STEPS)

    def _from_box(self, value: float) -> None:
        self._place(value)
        self.valueChanged.emit(value)

    def _place(self, value: float) -> None:
        low, high = self._box.minimum, self._box.maximum
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(round(self.STEPS * (value - low) / ((high - low) or 1.0)))
        self._slider.blockSignals(blocked)

    def setValue(self, value: float) -> None:
        """Set the value, clipped to the range and rounded to the decimals."""
        self._box.setValue(value)
        self._place(self._box.value)

    def _set_of_box(name: str):
        def set(self, value) -> None:
            setattr(self._box, name, value)
            self._place(self._box.value)

        return set

    def _of_box(name: str):
        return lambda self: getattr(self._box, name)

    value = Property(float, _of_box("value"), setValue)
    minimum = Property(float, _of_box("minimum"), _set_of_box("minimum"))
    maximum = Property(float, _of_box("maximum"), _set_of_box("maximum"))
    singleStep = Property(float, _of_box("singleStep"), _set_of_box("singleStep"))
    decimals = Property(int, _of_box("decimals"), _set_of_box("decimals"))
    prefix = Property(str, _of_box("prefix"), _set_of_box("prefix"))
    suffix = Property(str, _of_box("suffix"), _set_of_box("suffix"))
    tracking = Property(
        bool, lambda self: self._slider.tracking, lambda self, on: self._slider.setTracking(on)
    )


class ctkPathLineEdit(qt.QWidget):
    """A line for a path, with a button that opens a file dialog."""

    Files = 0x1002
    currentPathChanged = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._line = qt.QLineEdit(self)
        self._button = qt.QToolButton(self)
        self._button.setText("...")
        self._name_filters: list[str] = []
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._line)
        layout.addWidget(self._button)
        self._line.textChanged.connect(self.currentPathChanged)
        self._button.clicked.connect(self.browse)

    @Slot()
    def browse(self) -> None:
        """Ask for a file."""
        filters = ";;".join(self._name_filters)
        path = qt.QFileDialog.getOpenFileName(self, "", self._line.text, filters)
        if path:
            self._line.setText(path)

    currentPath = Property(
        str, lambda self: self._line.text, lambda self, path: self._line.setText(path)
    )
    nameFilters = Property(
        "QStringList",
        lambda self: self._name_filters,
        lambda self, filters: setattr(self, "_name_filters", list(filters)),
    )


class ctkMessageBox(qt.QMessageBox):
    """A message box; the check box "don't show again" is not imitated."""


qt.CUSTOM_WIDGETS += [ctkCollapsibleButton, ctkSliderWidget, ctkPathLineEdit]


def __getattr__(name: str) -> type:
    """Stand for a ctk class that is only compared with: Slicer's own Python names them all."""
    if not name.startswith("ctk"):
        raise AttributeError(name)
    return type(name, (), {"__init__": lambda self, *_: (_ for _ in ()).throw(_not_here(name))})


def _not_here(name: str) -> NotImplementedError:
    return NotImplementedError(f"{name} is not imitated; see Testing/slicer_standin/README.md")
