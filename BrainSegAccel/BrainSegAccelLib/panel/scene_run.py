"""One run from volume nodes to a segmentation node, in steps between which the window lives."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _

from ..errors import InputError
from ..geometry.volume import Volume
from ..manifest.model import Manifest
from ..manifest.revise import add_stages
from ..mrml.contents import sign
from ..mrml.masks import mask_from_node
from ..mrml.results import Result, put_beside, write_manifest, write_stages, write_volumes
from ..mrml.segmentation import replace_content
from ..mrml.volumes import VolumeReader, check_selection
from ..postprocessing.kept import KeptProbabilities
from ..postprocessing.refinement import Refinement
from ..runs.options import RunOptions
from ..study.modality import Modality, reference_of
from ..worker.messages import Cancelled, Event, Failed, Progress, Segment, Segmented
from .tasks import Tasks


@dataclass(frozen=True, eq=False)
class SceneRequest:
    """What to segment in a scene, how, and where the result goes.

    :param volumes: one to four volume nodes.
    :param output: its content is replaced; None for a new node.
    :param brainMask: is read with the volumes and takes the place of ``options.brain_mask``.
    :param measureOnly: the segments stay as they are; only the manifest and tables change.
    """

    volumes: Mapping[Modality, vtkMRMLScalarVolumeNode]
    options: RunOptions
    output: vtkMRMLSegmentationNode | None = None
    brainMask: vtkMRMLSegmentationNode | None = None
    measureOnly: bool = False

    def asking(self, **options: Any) -> SceneRequest:
        """Return the request with other options, by the names of their fields."""
        return replace(self, options=self.options.model_copy(update=options))


@dataclass(frozen=True, eq=False)
class Finished:
    """A run that succeeded.

    :param node: holds the result.
    :param refinement: that the labels were made with.
    :param changed: whether the labels were written into the node, not only measured.
    :param previous: what the node held before; None for a new node and where nothing changed.
    :param notes: what the user must know, one sentence each.
    """

    node: vtkMRMLSegmentationNode
    manifest: Manifest
    kept: KeptProbabilities
    refinement: Refinement
    changed: bool
    previous: Result | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Stopped:
    """A run that came to nothing; the scene is as it was.

    :param message: one line; empty if the user cancelled.
    :param unusableInput: whether the volumes or options were unusable, so that nothing was run.
    :param log: the worker's last lines if it crashed.
    """

    message: str = ""
    log: tuple[str, ...] = ()
    unusableInput: bool = False


class Listener(Protocol):
    """Someone who wants to know how a run gets on."""

    def onProgress(self, progress: Progress) -> None:
        """Note how far it is."""
        ...

    def onEnd(self, outcome: Finished | Stopped) -> None:
        """Note the end; called once."""
        ...


class SceneRun:
    """Reads volumes, has the worker segment them and puts the result into the scene.

    Every step is short and returns to the event loop, so the scene may change in between: inputs
    may move or go, the output may go, the scene may be closed. What was read is what is segmented.

    :param tasks: the queue of the worker.
    :param reader: remembers what the run before has read.
    :param listener: is told nothing before the event loop has had its turn.
    :raises InputError: no volume at all, or one for two modalities.
    """

    def __init__(
        self, request: SceneRequest, tasks: Tasks, reader: VolumeReader, listener: Listener
    ) -> None:
        check_selection(request.volumes)
        self._request = request
        self._tasks = tasks
        self._listener = listener
        self._task: int | None = None
        self._ended = False
        self._stages: dict[str, float] = {}
        self._reference = request.volumes[reference_of(request.volumes)]
        self._continue(self._read(reader))

    def cancel(self) -> None:
        """Stop; the end comes within a second."""
        if self._task is not None:
            self._tasks.cancel(self._task)
        else:
            self._end(Stopped())

    def abandon(self) -> None:
        """Stop without an answer, e.g. because the scene is being closed."""
        self._ended = True
        if self._task is not None:
            self._tasks.cancel(self._task)

    def _continue(self, steps: Iterator[None]) -> None:
        """Take the next step after the event loop has had its turn."""
        qt.QTimer.singleShot(0, lambda: self._step(steps))

    def _step(self, steps: Iterator[None]) -> None:
        """Take one step, and see to the next one."""
        if self._ended:
            return
        try:
            next(steps)
        except StopIteration:
            return
        except InputError as error:
            self._end(Stopped(str(error), unusableInput=True))
            return
        except Exception as error:  # Whatever it is, the panel must not wait for ever.
            logging.exception("BrainSegAccel")
            self._end(Stopped(f"{type(error).__name__}: {error}"))
            return
        self._continue(steps)

    def _end(self, outcome: Finished | Stopped) -> None:
        if not self._ended:
            self._ended = True
            self._listener.onEnd(outcome)

    def _timed(self, stage: str, work: Callable[[], None]) -> None:
        started = time.perf_counter()
        work()
        self._stages[stage] = self._stages.get(stage, 0.0) + (time.perf_counter() - started) * 1e3

    def _timed_steps(
        self, stage: str, steps: Generator[None, None, Volume]
    ) -> Generator[None, None, Volume]:
        """Take the steps one by one, and count only the time that they take themselves."""
        found: list[Volume] = []

        def step() -> None:
            try:
                next(steps)
            except StopIteration as done:
                found.append(done.value)

        while not found:
            self._timed(stage, step)
            yield
        return found[0]

    def _read(self, reader: VolumeReader) -> Iterator[None]:
        asked, volumes = self._request, dict[Modality, Volume]()
        self._listener.onProgress(Progress(task=0, stage=_("read")))
        for modality, node in asked.volumes.items():
            yield
            if node.GetScene() is None:
                raise InputError(_("was removed from the scene"), where=modality.label)
            volumes[modality] = yield from self._timed_steps("read", reader.read_in_steps(node))
        yield
        options = asked.options
        if asked.brainMask is not None:
            mask = mask_from_node(asked.brainMask)
            options = options.model_copy(update={"brain_mask": mask})
        request = Segment(volumes=volumes, options=options)
        self._task = self._tasks.submit(request, self._onEvent)

    def _onEvent(self, event: Event) -> None:
        if self._ended:
            return
        if isinstance(event, Progress):
            self._listener.onProgress(event)
        elif isinstance(event, Segmented):
            self._step(self._write(event))
        elif isinstance(event, Failed):
            self._end(Stopped(event.message, event.log, event.unusable_input))
        elif isinstance(event, Cancelled):
            self._end(Stopped())

    def _write(self, result: Segmented) -> Iterator[None]:
        self._listener.onProgress(
            Progress(task=result.task, stage=_("write"), fraction=1.0, seconds_left=0.0)
        )
        yield
        notes = list(result.manifest.warnings)
        reference = self._reference if self._reference.GetScene() is not None else None
        if reference is None:
            notes.append(_("The reference volume was removed; the result lies where it was."))
        output, previous = self._request.output, None
        if output is not None and output.GetScene() is None:
            notes.append(_("The output segmentation was removed; the result is in a new one."))
            output = None
        if output is None:
            name = (reference or self._reference).GetName()
            output = slicer.mrmlScene.AddNewNodeByClass(
                "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(f"{name} tumour")
            )
            put_beside(output, reference)
        elif not self._request.measureOnly:
            previous = Result.of(output)
        changed = output is not self._request.output or not self._request.measureOnly
        if changed:
            self._timed("write", lambda: replace_content(output, result.segmentation, reference))
            yield
            self._timed("write", lambda: sign(output))
            yield
        manifest = add_stages(
            result.manifest, {"read": self._stages["read"]}, {"write": self._stages.get("write", 0)}
        )
        if changed:
            write_volumes(output, result.segmentation)
            yield
        write_stages(output, manifest)
        write_manifest(output, manifest)
        yield
        self._end(
            Finished(
                output,
                manifest,
                result.kept,
                self._request.options.refinement,
                changed,
                previous,
                tuple(notes),
            )
        )
