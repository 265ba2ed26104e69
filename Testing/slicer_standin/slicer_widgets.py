"""The qMRML widgets that the panel uses, on the real scene."""

from __future__ import annotations

import qt
import slicer
from PySide6.QtCore import Property, Signal


def _stored(kind, name: str, default, then=lambda self: None) -> Property:
    """Return a Qt property that is kept on the object; ``then`` runs when it is set."""
    key = f"_{name}"

    def set(self, value) -> None:
        setattr(self, key, list(value) if kind == "QStringList" else value)
        then(self)

    return Property(kind, lambda self: getattr(self, key, default), set)


class qMRMLWidget(qt.QWidget):
    """A widget that hands its scene to whatever is connected to ``mrmlSceneChanged``."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene) -> None:
        """Set the scene and tell the children."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(qt.QWidget):
    """Selects a node of the scene by class, attributes and visibility in editors."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeAddedByUser = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._scene = None
        self._observed: list[tuple[object, int]] = []
        self._attributes: dict[tuple[str, str], str | None] = {}
        self._current: str | None = None
        self._box = qt.QComboBox(self)
        self._box.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.activated.connect(self._on_activated)
        self.setEnabled(False)

    def _refresh(self) -> None:
        """Show the nodes there are now; a current node that is gone gives way to none or first."""
        blocked = self._box.blockSignals(True)
        self._box.clear()
        if self.noneEnabled:
            self._box.addItem(self.noneDisplay, None)
        for node in self.nodes():
            self._box.addItem(node.GetName(), node.GetID())
        known = {node.GetID() for node in self.nodes()}
        if self.addEnabled and self._scene:
            for kind in self.nodeTypes:
                label = self._scene.GetTagByClassName(kind)
                self._box.addItem(f"Create new {label}", f"create {kind}")
        wanted = self._current if self._current in known else None
        if wanted is None and not self.noneEnabled and known:
            wanted = self.nodes()[0].GetID()
        index = self._box.findData(wanted) if wanted else (0 if self.noneEnabled else -1)
        self._box.setCurrentIndex(index)
        self._box.blockSignals(blocked)
        self._select(wanted)

    def _select(self, node_id: str | None) -> None:
        if node_id != self._current:
            self._current = node_id
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(node_id or "")

    def _on_activated(self, index: int) -> None:
        data = self._box.itemData(index)
        if isinstance(data, str) and data.startswith("create "):
            self.addNode(data.removeprefix("create "))
        else:
            self._select(data)

    def _shows(self, node) -> bool:
        kinds = [k for k in self.nodeTypes if node.IsA(k)]
        if not self.showChildNodeTypes:
            kinds = [k for k in kinds if node.GetClassName() == k]
        if not kinds or any(node.IsA(k) for k in self.hideChildNodeTypes):
            return False
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        return all(
            node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
            for (kind, name), value in self._attributes.items()
            if node.IsA(kind)
        )

    def nodes(self) -> list:
        """Return the nodes that are shown, in the scene's order."""
        if self._scene is None:
            return []
        every = [self._scene.GetNthNode(i) for i in range(self._scene.GetNumberOfNodes())]
        return [node for node in every if self._shows(node)]

    def nodeCount(self) -> int:
        """Return how many nodes are shown."""
        return len(self.nodes())

    def mrmlScene(self):
        """Return the scene."""
        return self._scene

    @qt.Slot(object)
    def setMRMLScene(self, scene) -> None:
        """Show a scene's nodes and follow its changes."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._scene = scene
        self._observed = []
        self.setEnabled(scene is not None)
        for name in ("NodeAdded", "NodeRemoved", "EndBatchProcess", "EndClose", "EndImport"):
            if scene is not None:
                event = getattr(scene, f"{name}Event")
                tag = scene.AddObserver(event, lambda *_: self._on_scene_changed())
                self._observed.append((scene, tag))
        self._refresh()

    def _on_scene_changed(self) -> None:
        if self._scene is not None and not self._scene.IsBatchProcessing():
            self._refresh()

    def currentNode(self):
        """Return the selected node or None."""
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    def setCurrentNode(self, node) -> None:
        """Select a node, its ID or None; a node that is not shown selects none."""
        node_id = node.GetID() if hasattr(node, "GetID") else node
        known = {shown.GetID() for shown in self.nodes()}
        self._box.setCurrentIndex(max(self._box.findData(node_id), 0 if self.noneEnabled else -1))
        self._select(node_id if node_id in known else None)

    def setCurrentNodeID(self, node_id: str) -> None:
        """Select by ID."""
        self.setCurrentNode(node_id or None)

    def addNode(self, kind: str = ""):
        """Add a node as "Create new" in the menu does, and select it."""
        node = self._scene.CreateNodeByClass(kind or self.nodeTypes[0])
        node.UnRegister(None)
        label = self.baseName or self._scene.GetTagByClassName(node.GetClassName())
        node.SetName(self._scene.GenerateUniqueName(label))
        for (owner, name), value in self._attributes.items():
            if node.IsA(owner) and value is not None:
                node.SetAttribute(name, value)
        node = self._scene.AddNode(node)
        self._refresh()
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def addAttribute(self, kind: str, name: str, value: str | None = None) -> None:
        """Show only nodes that carry an attribute, with a value if one is given."""
        self._attributes[kind, name] = value
        self._refresh()

    nodeTypes = _stored("QStringList", "node_types", [], _refresh)
    hideChildNodeTypes = _stored("QStringList", "hide_child", [], _refresh)
    showChildNodeTypes = _stored(bool, "show_child", True, _refresh)
    showHidden = _stored(bool, "show_hidden", False, _refresh)
    noneEnabled = _stored(bool, "none_enabled", False, _refresh)
    noneDisplay = _stored(str, "none_display", "None", _refresh)
    addEnabled = _stored(bool, "add_enabled", True, _refresh)
    removeEnabled = _stored(bool, "remove_enabled", True, _refresh)
    renameEnabled = _stored(bool, "rename_enabled", False, _refresh)
    editEnabled = _stored(bool, "edit_enabled", False, _refresh)
    baseName = _stored(str, "base_name", "")
    selectNodeUponCreation = _stored(bool, "select_new", True)
    currentNodeID = Property(str, lambda self: self._current or "", setCurrentNodeID)


class qMRMLSegmentsTableView(qt.QWidget):
    """The segments of a segmentation node: visibility, colour and name."""

    segmentsChanged = Signal()

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node = None
        self._tag = None
        self._table = qt.QTableWidget(0, 3, self)
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setColumnWidth(0, 28)
        self._table.setColumnWidth(1, 28)
        self._table.setHorizontalHeaderLabels(["", "", "Name"])
        self._table.itemChanged.connect(self._on_item_changed)
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)

    def segmentationNode(self):
        """Return the node."""
        return self._node

    def setSegmentationNode(self, node) -> None:
        """Show a node's segments and follow them."""
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver(slicer.vtkSegmentation.SegmentAdded, self._refresh)
        self._refresh()

    def _refresh(self, *_) -> None:
        blocked = self._table.blockSignals(True)
        content = self._node.GetSegmentation() if self._node is not None else None
        ids = [content.GetNthSegmentID(i) for i in range(self.segmentCount)] if content else []
        self._table.setRowCount(len(ids))
        display = self._node.GetDisplayNode() if self._node is not None else None
        for row, identifier in enumerate(ids):
            segment = content.GetSegment(identifier)
            shown = qt.QTableWidgetItem()
            shown.setData(qt.Qt.UserRole, identifier)
            visible = display is None or display.GetSegmentVisibility(identifier)
            shown.setCheckState(qt.Qt.Checked if visible else qt.Qt.Unchecked)
            colour = qt.QTableWidgetItem()
            colour.setBackground(qt.QColor.fromRgbF(*segment.GetColor()))
            for column, item in enumerate((shown, colour, qt.QTableWidgetItem(segment.GetName()))):
                self._table.setItem(row, column, item)
        self._table.blockSignals(blocked)
        self.segmentsChanged.emit()

    def _on_item_changed(self, item) -> None:
        if item.column() == 0 and self._node is not None and self._node.GetDisplayNode():
            checked = item.checkState() == qt.Qt.Checked
            self._node.GetDisplayNode().SetSegmentVisibility(item.data(qt.Qt.UserRole), checked)

    def _count(self) -> int:
        return self._node.GetSegmentation().GetNumberOfSegments() if self._node is not None else 0

    segmentCount = Property(int, _count)
    selectionMode = _stored(int, "selection_mode", 1)
    readOnly = _stored(bool, "read_only", False)
    headerVisible = _stored(bool, "header", True)
    visibilityColumnVisible = _stored(bool, "visibility_column", True)
    colorColumnVisible = _stored(bool, "color_column", True)
    opacityColumnVisible = _stored(bool, "opacity_column", True)
    statusColumnVisible = _stored(bool, "status_column", False)
    layerColumnVisible = _stored(bool, "layer_column", False)
    filterBarVisible = _stored(bool, "filter_bar", False)


class qMRMLTableView(qt.QTableView):
    """The cells of a table node."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._node = None
        self._tag = None

    def mrmlTableNode(self):
        """Return the node."""
        return self._node

    def setMRMLTableNode(self, node) -> None:
        """Show a table node and follow it."""
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver("ModifiedEvent", self._refresh)
        self._refresh()

    def _refresh(self, *_) -> None:
        table = self._node.GetTable() if self._node is not None else None
        rows, columns = (table.GetNumberOfRows(), table.GetNumberOfColumns()) if table else (0, 0)
        model = qt.QStandardItemModel(rows, columns, self)
        for column in range(columns):
            model.setHorizontalHeaderItem(column, qt.QStandardItem(table.GetColumnName(column)))
            for row in range(rows):
                text = table.GetValue(row, column).ToString()
                model.setItem(row, column, qt.QStandardItem(text))
        self.setModel(model)


WIDGETS = [qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentsTableView, qMRMLTableView]
qt.CUSTOM_WIDGETS += WIDGETS
