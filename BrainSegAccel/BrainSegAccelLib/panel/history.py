"""Undo: what a segmentation held before it was replaced."""

from __future__ import annotations

from slicer import vtkMRMLSegmentationNode

from ..mrml.results import Result


class History:
    """One step back for each segmentation node; a second undo brings the newer content again."""

    def __init__(self) -> None:
        self._previous: dict[str, Result] = {}

    def remember(self, node: vtkMRMLSegmentationNode, result: Result | None = None) -> None:
        """Keep a result for undo.

        :param result: None for what the node holds now.
        """
        self._previous[node.GetID()] = result or Result.of(node)

    def forgetAll(self) -> None:
        """Let go of everything, e.g. because the scene is closed."""
        self._previous.clear()

    def canUndo(self, node: vtkMRMLSegmentationNode | None) -> bool:
        """Tell whether there is something to bring back."""
        return node is not None and node.GetID() in self._previous

    def undo(self, node: vtkMRMLSegmentationNode) -> None:
        """Bring the previous content back, and keep what was there for a redo."""
        now = Result.of(node)
        self._previous[node.GetID()].put_back(node)
        self._previous[node.GetID()] = now
