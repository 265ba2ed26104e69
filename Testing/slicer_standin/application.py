"""``slicer.app`` and ``slicer.modules``: the application around the real scene and its logics."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import qt
import slicer
from vtkmodules.vtkCommonCore import vtkCollection


class MainWindow(qt.QMainWindow):
    """A main window with a status bar and a module selector that remembers what was selected."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.selected = ""

    def moduleSelector(self) -> MainWindow:
        """Return the module selector."""
        return self

    def selectModule(self, name: str) -> None:
        """Open a module."""
        slicer.util.getModule(name)
        self.selected = name

    @property
    def selectedModule(self) -> str:
        """Name of the module that is open."""
        return self.selected


class ModuleManager:
    """Knows the modules; unloading is not imitated, so its signal never comes."""

    def connect(self, signal: str, slot) -> bool:
        """Accept a listener."""
        return True

    def disconnect(self, signal: str, slot) -> bool:
        """Let a listener go."""
        return True

    def module(self, name: str):
        """Return a module or None."""
        return getattr(slicer.modules, name.lower(), None)


class LayoutManager:
    """Slice views as composite nodes of the scene; nothing is drawn."""

    def __init__(self) -> None:
        self.layout = 0

    def setLayout(self, layout: int) -> None:
        """Choose a layout."""
        self.layout = layout

    def sliceViewNames(self) -> list[str]:
        """Return the names of the slice views."""
        return []

    def mrmlSliceLogics(self):
        """Return the logics of the slice views: none, since nothing is drawn."""
        return vtkCollection()


class IOManager:
    """Reads volumes and reads and writes scene bundles, with Slicer's own MRML; nothing else."""

    def loadNodes(self, kind: str, properties: dict, loaded=None, messages=None) -> bool:
        """Load a volume (``VolumeFile``) or a bundle (``SceneFile``, *.mrb)."""
        path = properties["fileName"]
        if kind == "SceneFile":
            return bool(slicer.mrmlScene.ReadFromMRB(str(path), True, messages))
        assert kind == "VolumeFile", f"{kind} is not imitated"
        name = properties.get("name") or os.path.basename(path).split(".")[0]
        node = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), name)
        if node is not None and loaded is not None:
            loaded.AddItem(node)
        return node is not None

    def saveNodes(self, kind: str, properties: dict, messages=None) -> bool:
        """Save the scene as a bundle."""
        assert kind == "SceneFile", f"{kind} is not imitated"
        return bool(slicer.mrmlScene.WriteToMRB(str(properties["fileName"]), None, messages))


class Application:
    """``slicer.app``: Qt's application and what Slicer adds to it."""

    applicationName = "Slicer"
    majorVersion, minorVersion = 5, 12

    def __init__(self, application: qt.QApplication, logic) -> None:
        self._qt = application
        self._logic = logic
        self._layout = LayoutManager()
        self._modules = ModuleManager()
        self._io = IOManager()
        self._testing = True
        self._startup: list = []

    def __getattr__(self, name: str):
        return getattr(self._qt, name)

    def connect(self, signal: str, slot) -> bool:
        """Connect to ``startupCompleted()``, which `completeStartup` sends."""
        assert signal == "startupCompleted()", signal
        self._startup.append(slot)
        return True

    def completeStartup(self) -> None:
        """Tell those who wait for the end of the start."""
        for slot in self._startup:
            slot()
        self._startup.clear()

    def testingEnabled(self) -> bool:
        """Tell whether message boxes answer themselves."""
        return self._testing

    def setTestingEnabled(self, on: bool) -> None:
        """Let message boxes answer themselves, or ask."""
        self._testing = on

    def applicationLogic(self):
        """Return the real application logic."""
        return self._logic

    def mrmlScene(self):
        """Return the scene."""
        return slicer.mrmlScene

    def layoutManager(self) -> LayoutManager:
        """Return the layout manager."""
        return self._layout

    def coreIOManager(self) -> IOManager:
        """Return what reads and writes files."""
        return self._io

    def moduleManager(self) -> ModuleManager:
        """Return the module manager."""
        return self._modules

    def startupEnvironment(self):
        """Return the environment in which the application was started."""
        environment = qt.QProcessEnvironment()
        for key, value in os.environ.items():
            environment.insert(key, value)
        return environment

    @property
    def pythonExecutable(self) -> str:
        """The interpreter that other processes run."""
        return sys.executable


class SegmentEditor:
    """What other modules use of Segment Editor: the nodes that it is set to."""

    def __init__(self) -> None:
        self.editor = self
        self.segmentation = self.source = None

    def setSegmentationNode(self, node) -> None:
        """Edit a segmentation."""
        self.segmentation = node

    def setSourceVolumeNode(self, node) -> None:
        """Paint on a volume."""
        self.source = node


def module(name: str, logic=None, path: str = "", widget=None) -> SimpleNamespace:
    """Return what ``slicer.modules`` holds of a module."""
    return SimpleNamespace(
        name=name, path=path, logic=lambda: logic, widgetRepresentation=lambda: widget
    )
