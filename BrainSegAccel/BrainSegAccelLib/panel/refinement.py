"""Labelling again, from the probabilities that a run has kept, as the sliders move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import qt
from slicer import vtkMRMLSegmentationNode

from ..manifest.model import Manifest
from ..manifest.revise import with_output
from ..mrml.contents import edited_by_the_user, sign, stamp
from ..mrml.results import write_manifest, write_volumes
from ..mrml.segmentation import has_surface, replace_content
from ..postprocessing.kept import KeptProbabilities
from ..postprocessing.refine import refine
from ..postprocessing.refinement import Refinement, ResolvedRefinement
from ..study.segmentation import Segmentation
from .history import History
from .questions import Questions
from .scene_run import Finished

SETTLED_MS = 400
"""After so long without a change, tables and manifest follow the labels."""


@dataclass
class _Result:
    """What is known of a segmentation node that a run has filled.

    :param refinement: with which the labels were last made.
    :param stamp: of the segments as this module left them; 0 if it did not touch them.
    :param surface: whether there was a 3-D surface, to be made again when the sliders rest.
    """

    kept: KeptProbabilities
    manifest: Manifest
    refinement: ResolvedRefinement
    stamp: int
    labels: Segmentation | None = None
    surface: bool = False


class Relabelling:
    """Follows the sliders: labels at once, tables and manifest when they rest.

    Probabilities are kept in memory, not in the scene: after loading a scene, a run brings them
    back.

    :param history: remembers what the user made, before it is replaced.
    :param remembered: called after that.
    """

    def __init__(
        self, history: History, questions: Questions, remembered: Callable[[], None]
    ) -> None:
        self._history = history
        self._remembered = remembered
        self._questions = questions
        self._results: dict[str, _Result] = {}
        self._node: vtkMRMLSegmentationNode | None = None
        self._asked: ResolvedRefinement | None = None
        self._soon = _after(0, self._relabel)
        self._settled = _after(SETTLED_MS, self._settle)

    def remember(self, outcome: Finished) -> None:
        """Keep what a run has found for the sliders."""
        node = outcome.node
        written = stamp(node) if outcome.changed else 0
        refinement = outcome.refinement.resolve(outcome.kept.outputs)
        self._results[node.GetID()] = _Result(outcome.kept, outcome.manifest, refinement, written)

    def forgetAll(self) -> None:
        """Let go of everything, e.g. because the scene is closed."""
        self._soon.stop()
        self._settled.stop()
        self._results.clear()

    def probabilities(self, node: vtkMRMLSegmentationNode | None) -> KeptProbabilities | None:
        """Return the probabilities behind a segmentation node, if they are still there."""
        result = self._results.get(node.GetID()) if node is not None else None
        return result.kept if result is not None else None

    def request(self, node: vtkMRMLSegmentationNode | None, refinement: Refinement) -> None:
        """Label a node again soon; of several requests in a row only the last counts."""
        result = self._results.get(node.GetID()) if node is not None else None
        asked = refinement.resolve(result.kept.outputs) if result is not None else None
        if result is not None and asked != result.refinement:
            self._node, self._asked = node, asked
            self._soon.start()

    def _relabel(self) -> None:
        node, asked = self._node, self._asked
        if node is None or asked is None or node.GetScene() is None:
            return
        result = self._results[node.GetID()]
        result.refinement = asked
        if stamp(node) != result.stamp and edited_by_the_user(node):
            if not self._questions.discard(node.GetName()):
                return
            self._history.remember(node)
            self._remembered()
        role = node.GetReferenceImageGeometryReferenceRole()
        result.labels = refine(result.kept, asked)
        result.surface |= has_surface(node)
        replace_content(node, result.labels, node.GetNodeReference(role), surface=False)
        result.stamp = stamp(node)
        self._settled.start()

    def _settle(self) -> None:
        node = self._node
        if node is None or node.GetScene() is None:
            return
        result = self._results[node.GetID()]
        if result.surface:
            ours, result.surface = stamp(node) == result.stamp, False
            node.CreateClosedSurfaceRepresentation()
            result.stamp = stamp(node) if ours else result.stamp
        if result.labels is None or stamp(node) != result.stamp:
            return
        sign(node)
        result.manifest = with_output(result.manifest, result.labels, result.refinement)
        write_volumes(node, result.labels)
        write_manifest(node, result.manifest)


def _after(milliseconds: int, call: Callable[[], None]) -> qt.QTimer:
    """Return a timer that calls once, so long after it was last started."""
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.interval = milliseconds
    timer.timeout.connect(call)
    return timer
