"""The Slicer module: life cycle, scripting interface and self-test over BrainSegAccelLib."""

import json
import logging
import shutil
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import qt
import slicer
import slicer.packaging
import vtk
from BrainSegAccelLib.panel.panel import Panel
from BrainSegAccelLib.panel.parameters import BrainSegAccelParameterNode
from BrainSegAccelLib.panel.questions import Questions, Windows
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.study.modality import Modality
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from BrainSegAccelLib.mrml.volumes import VolumeReader
    from BrainSegAccelLib.panel.tasks import Tasks
    from BrainSegAccelLib.panel.waiting import Tell
    from BrainSegAccelLib.runs.options import RunOptions


class BrainSegAccel(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("BrainSegAccel")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Markups", "Plots", "Segmentations", "Tables", "Terminologies"]
        parent.contributors = ["BrainSegAccel contributors"]
        parent.helpText = _(
            "Segments brain tumours on MR from any subset of T1, T1c, T2 and FLAIR, with a"
            " selectable backend and precision. Research software, not a medical device. See the"
            ' <a href="https://github.com/BrainSegAccel/SlicerBrainSegAccel/blob/main/docs/'
            'user-guide.md">user guide</a>.'
        )
        parent.acknowledgementText = _("Built on 3D Slicer, ITK, OpenVINO and ONNX Runtime.")
        slicer.app.connect("startupCompleted()", onStartupCompleted)


def onStartupCompleted() -> None:
    """Tell Slicer the codes of our segments, and offer the sample case in Sample Data."""
    logic = slicer.modules.terminologies.logic()
    path = resource("Terminologies", "BrainSegAccel.term.json")
    if not logic.LoadTerminologyFromFile(str(path)):
        logging.warning("BrainSegAccel: %s could not be loaded", path)
    registerSampleData()


def registerSampleData() -> None:
    """Register the synthetic case that ships with the module; nothing is downloaded."""
    try:
        from SampleData import SampleDataLogic
    except ImportError:  # Slicer was started without its module Sample Data.
        return
    folder = resource("SampleData", "phantom")
    SampleDataLogic.registerCustomSampleDataSource(
        category="BrainSegAccel",
        sampleName="BrainSegAccelPhantom",
        thumbnailFileName=str(resource("Icons", "BrainSegAccel.png")),
        uris=[(folder / f"{modality}.nii.gz").as_uri() for modality in Modality],
        fileNames=[f"BrainSegAccelPhantom-{modality}.nii.gz" for modality in Modality],
        nodeNames=[f"phantom {modality.label}" for modality in Modality],
    )


def newWorker():
    """Return the client of a background process in Slicer's own Python; it starts when needed."""
    from BrainSegAccelLib.worker.client import WorkerClient  # needs packages

    return WorkerClient(shutil.which("PythonSlicer") or sys.executable)


class BrainSegAccelWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The life of the panel: opened, closed, bound to the scene's parameter node.

    :param questions: answers for the user.
    :param makeWorker: makes the client of the background process.
    """

    def __init__(
        self, parent=None, questions: Questions | None = None, makeWorker: Callable = newWorker
    ) -> None:
        self._questions = questions or Windows()
        self._makeWorker = makeWorker
        self._parameterNode: BrainSegAccelParameterNode | None = None
        self._guiTag = None
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        """Build the panel; called when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/BrainSegAccel.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = BrainSegAccelLogic(self._makeWorker)
        selector = self.ui.parameterSetSelector
        selector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", self.moduleName)
        selector.currentNodeChanged.connect(self.onParameterSetSelected)
        self.panel = Panel(self.ui, self._questions, self._makeWorker)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Let go of scene and background process; the application closes or reloads the module."""
        self.setParameterNode(None)
        self.panel.close()
        self.removeObservers()

    def enter(self) -> None:
        """Bind the panel; called each time the module is opened."""
        self.initializeParameterNode()
        self.panel.checkPackages()

    def exit(self) -> None:
        """Unbind the panel; called each time another module is opened. Runs go on."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Let go of everything that goes with the scene."""
        self.setParameterNode(None)
        self.panel.sceneCloses()

    def onSceneEndClose(self, caller, event) -> None:
        """Bind the panel to the new scene if it is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller, event) -> None:
        """Show what a loaded scene says: while it was read, its nodes were not all there."""
        if self._parameterNode is not None:
            self.setParameterNode(self.logic.getParameterNode())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller, event, node) -> None:
        """Look at volumes that were loaded, once they are all there."""
        if self._parameterNode and node.IsA("vtkMRMLScalarVolumeNode"):
            qt.QTimer.singleShot(0, self.panel.fillEmptyInputs)

    def onParameterSetSelected(self, node) -> None:
        """Bind the panel to the parameter set that the user selects."""
        bound = self._parameterNode.parameterNode if self._parameterNode else None
        if node is not None and bound is not None and node.GetID() != bound.GetID():
            self.setParameterNode(BrainSegAccelParameterNode(node))

    def initializeParameterNode(self) -> None:
        """Bind the panel to the scene's usual parameter node, unless it is bound."""
        if self._parameterNode is None:
            self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode: BrainSegAccelParameterNode | None) -> None:
        """Bind the panel to a parameter node, or to none."""
        modified = vtk.vtkCommand.ModifiedEvent
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(self._parameterNode, modified, self.onParametersModified)
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._guiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, modified, self.onParametersModified)
            self.ui.parameterSetSelector.setCurrentNode(parameterNode.parameterNode)
        self.panel.setParameters(parameterNode)

    def onParametersModified(self, caller=None, event=None) -> None:
        """Let the panel follow."""
        self.panel.update()


class BrainSegAccelLogic(ScriptedLoadableModuleLogic):
    """Segments volume nodes; usable from scripts, without the panel, and waits for the result.

    :param makeWorker: makes the client of the background process, which stays warm for the next
        run and ends with this object.
    """

    def __init__(self, makeWorker: Callable = newWorker) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.manifestJson: str | None = None
        """The manifest of the last run that succeeded."""
        self._makeWorker = makeWorker
        self._atWork: tuple[Tasks, VolumeReader] | None = None

    def getParameterNode(self) -> BrainSegAccelParameterNode:
        """Return the parameter node that every scene has, typed; there may be others beside it."""
        return BrainSegAccelParameterNode(super().getParameterNode())

    def process(
        self,
        volumes: Mapping[Modality, vtkMRMLScalarVolumeNode],
        segmentation: vtkMRMLSegmentationNode | None = None,
        options: "RunOptions | None" = None,
        *,
        brainMask: vtkMRMLSegmentationNode | None = None,
        progress: "Tell | None" = None,
    ) -> vtkMRMLSegmentationNode:
        """Do what a click on Apply does, and wait; the manifest is then in ``manifestJson``.

        The event loop goes on meanwhile, so the application stays alive.

        :param volumes: one to four of T1, T1c, T2 and FLAIR.
        :param segmentation: its content is replaced, without a question; None for a new node.
        :param options: everything that can be asked of a run; None for what is usual.
        :param brainMask: is used instead of looking for the brain.
        :param progress: told of stage, share and time left (``worker.messages.Progress``); what it
            raises cancels the run and is raised here.
        :returns: the segmentation node.
        :raises InputError: unusable volumes, backend or precision; the scene is as it was.
        :raises RunError: the run failed, or the scene was closed meanwhile.
        """
        # Here, since what they import is installed when the panel is first used.
        from BrainSegAccelLib.manifest.write import to_json
        from BrainSegAccelLib.panel.scene_run import SceneRequest
        from BrainSegAccelLib.panel.waiting import runAndWait
        from BrainSegAccelLib.runs.options import RunOptions

        request = SceneRequest(volumes, options or RunOptions(), segmentation, brainMask)
        finished = runAndWait(request, *self._worker(), progress)
        self.manifestJson = to_json(finished.manifest)
        return finished.node

    def _worker(self) -> "tuple[Tasks, VolumeReader]":
        """Return the worker's queue and what reads volumes for it, made when first needed."""
        from BrainSegAccelLib.mrml.volumes import VolumeReader
        from BrainSegAccelLib.panel.tasks import Tasks

        if self._atWork is None:
            tasks = Tasks(self._makeWorker())
            self._atWork = tasks, VolumeReader()
            # At the end of Python there is no Qt any more; the process ends with ours by itself.
            weakref.finalize(self, tasks.close).atexit = False
        return self._atWork


class BrainSegAccelTest(ScriptedLoadableModuleTest):
    """The main job on the shipped phantom, inside Slicer."""

    PATIENCE_SECONDS = 300.0

    def setUp(self) -> None:
        """Start from an empty scene."""
        from BrainSegAccelLib.panel.packages import Packages

        missing = Packages(Windows()).missing()
        if missing:
            self.skipTest(f"not installed: {', '.join(missing)}")
        slicer.mrmlScene.Clear()

    def _volumes(self, *modalities: Modality) -> dict[Modality, vtkMRMLScalarVolumeNode]:
        folder = resource("SampleData", "phantom")
        return {m: slicer.util.loadVolume(str(folder / f"{m}.nii.gz")) for m in modalities}

    def test_phantom(self) -> None:
        """All four modalities give a tumour in three segments and a manifest."""
        self.delayDisplay("Segmenting the phantom")
        logic = BrainSegAccelLogic()
        node = logic.process(self._volumes(*Modality))
        assert node.GetSegmentation().GetNumberOfSegments() == 3
        manifest = json.loads(logic.manifestJson)
        assert manifest["outputs"][0]["volumes_ml"]["WT"] > 1.0

    def test_one_modality_and_given_node(self) -> None:
        """FLAIR alone is enough, and a selected node is filled instead of a new one."""
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        assert BrainSegAccelLogic().process(self._volumes(Modality.FLAIR), node) is node
        assert node.GetSegmentation().GetNumberOfSegments() == 3

    def test_panel(self) -> None:
        """Volumes are recognised, Apply runs in the background, the result lands in the scene."""
        volumes = self._volumes(*Modality)
        widget = slicer.util.getModuleWidget("BrainSegAccel")
        widget.enter()
        widget.panel.fillEmptyInputs()
        assert widget.ui.t1cSelector.currentNode() is volumes[Modality.T1C]
        widget.ui.applyButton.click()
        assert widget.panel.running
        end = time.monotonic() + self.PATIENCE_SECONDS
        while widget.panel.running and time.monotonic() < end:
            slicer.app.processEvents()
        node = widget.ui.segmentationSelector.currentNode()
        assert node is not None, widget.ui.messageLabel.text or widget.ui.stageLabel.text
        assert node.GetSegmentation().GetNumberOfSegments() == 3
