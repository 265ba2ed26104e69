"""The Slicer module: a panel and a logic over BrainSegAccelLib, and the module's self-test."""

import json
import logging
from typing import Annotated

import qt
import slicer
import slicer.packaging
import vtk
from BrainSegAccelLib.backends.protocol import Precision
from BrainSegAccelLib.modality import Modality
from BrainSegAccelLib.resources import resource
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

AUTO = "auto"
BACKENDS = [AUTO]
"""What the backend box offers; filled by `offerBackends` each time that the panel is connected."""
PRECISIONS = [AUTO, *(str(precision) for precision in Precision)]


class BrainSegAccel(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("BrainSegAccel")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations", "Terminologies"]
        parent.contributors = ["BrainSegAccel contributors"]
        parent.helpText = _(
            "Segments brain tumours on MR from any subset of T1, T1c, T2 and FLAIR, with a"
            " selectable backend and precision. Research software, not a medical device. See the"
            ' <a href="https://github.com/BrainSegAccel/SlicerBrainSegAccel">documentation</a>.'
        )
        parent.acknowledgementText = _("Built on 3D Slicer, ITK, OpenVINO and ONNX Runtime.")
        slicer.app.connect("startupCompleted()", loadTerminology)


def loadTerminology() -> None:
    """Tell Slicer the codes of our segments, so that it shows and exports them with their names."""
    logic = slicer.modules.terminologies.logic()
    path = resource("Terminologies", "BrainSegAccel.term.json")
    if not logic.LoadTerminologyFromFile(str(path)):
        logging.warning("BrainSegAccel: %s could not be loaded", path)


@parameterNodeWrapper
class BrainSegAccelParameterNode:
    """Everything the panel asks for, saved with the scene.

    t1, t1c, t2, flair: input volumes, any of which may be missing.
    segmentation: receives the result; none for a new one.
    backend, precision: how the network runs.
    """

    t1: vtkMRMLScalarVolumeNode
    t1c: vtkMRMLScalarVolumeNode
    t2: vtkMRMLScalarVolumeNode
    flair: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    backend: Annotated[str, Choice(BACKENDS)] = AUTO
    precision: Annotated[str, Choice(PRECISIONS)] = AUTO


def inputsOf(parameterNode: BrainSegAccelParameterNode) -> dict[Modality, vtkMRMLScalarVolumeNode]:
    """Return the input volumes that are selected."""
    selected = {modality: getattr(parameterNode, modality.value) for modality in Modality}
    return {modality: node for modality, node in selected.items() if node is not None}


def offerBackends(selected: str) -> None:
    """Offer the backends there are, and the one a scene asks for even if it is not among them."""
    try:
        from BrainSegAccelLib.backends.registry import backends

        names = list(backends())
    except ImportError:  # Python packages are installed on the first Apply.
        names = []
    BACKENDS[:] = dict.fromkeys([AUTO, *names, selected])


def requirements() -> list:
    """Return the Python packages that a run needs beyond what Slicer ships."""
    return slicer.packaging.load_requirements(resource("requirements.txt"))


class StatusBar:
    """Shows the stages of a run in Slicer's status bar."""

    def begin(self, stage: str) -> None:
        """Show the name of the stage that begins."""
        slicer.util.showStatusMessage(_("BrainSegAccel: {stage}").format(stage=stage))
        slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)

    def advance(self, fraction: float) -> None:
        """Keep the windows painted."""
        slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)


class BrainSegAccelWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: selectors bound to the parameter node, and Apply."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: BrainSegAccelLogic | None = None
        self._parameterNode: BrainSegAccelParameterNode | None = None
        self._parameterNodeGuiTag = None

    def setup(self) -> None:
        """Build the panel; called when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/BrainSegAccel.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = BrainSegAccelLogic()
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.ui.applyButton.connect("clicked(bool)", self.onApplyButton)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Let go of the scene; called when the application closes or the module is reloaded."""
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """Bind the panel; called each time the module is opened."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Unbind the panel; called each time another module is opened."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Unbind the panel: the parameter node goes with the scene."""
        self.setParameterNode(None)

    def onSceneEndClose(self, caller, event) -> None:
        """Bind the panel to the new scene if it is shown."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Bind the panel to the scene's parameter node."""
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode: BrainSegAccelParameterNode | None) -> None:
        """Bind the panel to a parameter node, or to none."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            self.removeObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.updateApplyButton
            )
        self._parameterNode = parameterNode
        if parameterNode:
            offerBackends(parameterNode.backend)
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.updateApplyButton)
            self.updateApplyButton()

    def updateApplyButton(self, caller=None, event=None) -> None:
        """Enable Apply when there is something to run on, and say what is missing otherwise."""
        ready = bool(self._parameterNode and inputsOf(self._parameterNode))
        self.ui.applyButton.enabled = ready
        self.ui.applyButton.toolTip = (
            _("Segment the selected volumes")
            if ready
            else _("Select at least one of T1, T1c, T2 and FLAIR")
        )

    def onApplyButton(self) -> None:
        """Run, and show how it went; an error is shown in a window and leaves the scene alone."""
        with slicer.util.tryWithErrorDisplay(_("Python packages could not be installed.")):
            slicer.packaging.pip_ensure(requirements(), requester="BrainSegAccel")
        self.initializeParameterNode()  # The backends can be listed now.
        parameters = self._parameterNode
        self.ui.resultLabel.text = ""
        with slicer.util.tryWithErrorDisplay(_("Segmentation failed."), waitCursor=True):
            self.ui.applyButton.enabled = False
            try:
                parameters.segmentation = self.logic.process(
                    inputsOf(parameters),
                    parameters.segmentation,
                    backend=parameters.backend,
                    precision=parameters.precision,
                    progress=StatusBar(),
                )
            finally:
                slicer.util.showStatusMessage("")
                self.updateApplyButton()
            self.ui.resultLabel.text = self.logic.summary()


class BrainSegAccelLogic(ScriptedLoadableModuleLogic):
    """Segments volume nodes; usable from scripts, without the panel."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.manifestJson: str | None = None
        """The manifest of the last run that succeeded."""
        self._request: tuple[str, str] | None = None
        self._pipeline = None

    def getParameterNode(self) -> BrainSegAccelParameterNode:
        """Return the scene's parameter node, typed."""
        return BrainSegAccelParameterNode(super().getParameterNode())

    def process(
        self,
        volumes: dict[Modality, vtkMRMLScalarVolumeNode],
        segmentation: vtkMRMLSegmentationNode | None = None,
        *,
        backend: str = AUTO,
        precision: str = AUTO,
        progress=None,
    ) -> vtkMRMLSegmentationNode:
        """Segment the volumes; the manifest is then in ``manifestJson``.

        :param volumes: one to four of T1, T1c, T2 and FLAIR.
        :param segmentation: its content is replaced; None for a new node.
        :param progress: told of the stages (``BrainSegAccelLib.inference.progress.Progress``).
        :returns: the segmentation node.
        :raises InputError: unusable volumes, backend or precision; the scene is as it was.
        """
        # Here, since what they import is installed on the first Apply.
        from BrainSegAccelLib.inference.pipeline import Pipeline
        from BrainSegAccelLib.manifest.write import to_json
        from BrainSegAccelLib.mrml.run import segment_nodes

        if self._request != (backend, precision):
            self._pipeline = Pipeline(backend, precision)
            self._request = (backend, precision)
        run = segment_nodes(
            self._pipeline,
            volumes,
            segmentation,
            requested_backend=backend,
            requested_precision=precision,
            progress=progress,
        )
        self.manifestJson = to_json(run.manifest)
        return run.node

    def summary(self) -> str:
        """Return the last run in a line: volumes, time, what it ran on, and what to beware of."""
        from BrainSegAccelLib.inference.cautions import cautions

        manifest = json.loads(self.manifestJson)
        volumes = manifest["outputs"][0]["volumes_ml"]
        line = _("Whole tumour {wt:.1f} ml, in {seconds:.1f} s with {backend}.").format(
            wt=volumes["WT"],
            seconds=manifest["latency"]["total_ms"] / 1000,
            backend=manifest["runtime"]["backend"],
        )
        return " ".join([line, *cautions(manifest["input_protocol"]["available"])])


class BrainSegAccelTest(ScriptedLoadableModuleTest):
    """The main job on the shipped phantom, inside Slicer."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        if not slicer.packaging.pip_check(requirements()):
            self.skipTest("the packages of requirements.txt are not installed")
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
