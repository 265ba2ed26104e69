"""Base classes of scripted modules: life cycle, resources, parameter nodes and self-tests."""

from __future__ import annotations

import unittest
from pathlib import Path

import qt
import slicer


class ScriptedLoadableModule:
    """What the application shows about a module."""

    def __init__(self, parent) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, name: str) -> str:
        """Return the path of a file in the module's ``Resources``."""
        return str(Path(self.parent.path).parent / "Resources" / name)


class ScriptedLoadableModuleWidget:
    """A module's panel; ``setup`` is called by whoever shows it first."""

    def __init__(self, parent=None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        if parent is None:
            parent = slicer.qMRMLWidget()
            parent.setLayout(qt.QVBoxLayout())
            parent.setMRMLScene(slicer.mrmlScene)
            self.parent = parent
            self.layout = parent.layout()
            self.setup()
            parent.show()
        self.parent = parent
        self.layout = parent.layout()

    def resourcePath(self, name: str) -> str:
        """Return the path of a file in the module's ``Resources``."""
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)

    def setup(self) -> None:
        """Build the panel. The developer section is not imitated."""

    def cleanup(self) -> None:
        """Let go of everything."""


class ScriptedLoadableModuleLogic:
    """A module's work, and its parameter nodes."""

    def __init__(self, parent=None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """Return the first parameter node of this module in the scene, made if there is none."""
        if self.isSingletonParameterNode:
            found = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            nodes = [found] if found else []
            if found:  # Closing the scene resets it, attributes and all.
                found.SetAttribute("ModuleName", self.moduleName)
        else:
            nodes = self.getAllParameterNodes()
        return nodes[0] if nodes else slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list:
        """Return every parameter node of this module in the scene."""
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self):
        """Return a new parameter node that is in no scene yet."""
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's self-test."""

    def delayDisplay(self, message: str, requestedDelay=None, msec=None) -> None:
        """Show a message to whoever watches: nobody here."""
        slicer.app.processEvents()
