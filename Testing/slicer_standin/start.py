"""Start the stand-in: Slicer's Python environment around the real MRML scene of slicer-core."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent


def start():
    """Complete the ``slicer`` package of slicer-core, once; returns it.

    Slicer's own Python layer takes the place of this folder's where the environment variable
    BRAINSEGACCEL_SLICER_PYTHON names ``Base/Python`` of a checkout of Slicer.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import slicer

    if hasattr(slicer, "app"):
        return slicer
    sys.path.insert(0, str(HERE))
    own = os.environ.get("BRAINSEGACCEL_SLICER_PYTHON")
    slicer.__path__.append(str(Path(own) / "slicer") if own else str(HERE / "slicer_python"))
    import qt

    folder = tempfile.mkdtemp(prefix="slicer-standin-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _keep_settings_in(qt, folder)
    application = qt.QApplication.instance() or qt.QApplication([])
    _build(slicer, application, folder)
    return slicer


def _keep_settings_in(qt, folder: str) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    qt.QSettings.setDefaultFormat(qt.QSettings.IniFormat)
    for scope in (qt.QSettings.UserScope, qt.QSettings.SystemScope):
        qt.QSettings.setPath(qt.QSettings.IniFormat, scope, folder)
    qt.QCoreApplication.setOrganizationName("Slicer")
    qt.QCoreApplication.setApplicationName("stand-in")


def _build(slicer, application, folder: str) -> None:
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    slicer.mrmlScene = scene
    slicer.util = importlib.import_module("slicer.util")

    from application import Application, MainWindow, SegmentEditor, module
    from slicer_widgets import WIDGETS

    for widget in WIDGETS:
        setattr(slicer, widget.__name__, widget)
    slicer.__getattr__ = _not_imitated
    slicer.app = Application(application, logic)
    slicer.modules = _modules(slicer, logic, scene, module)
    slicer.modules.segmenteditor = module("SegmentEditor", widget=SegmentEditor())
    _let_bundles_be_read(slicer, scene, folder)
    slicer.standin_main_window = MainWindow()
    for name in ("i18n", "parameterNodeWrapper", "packaging", "ScriptedLoadableModule"):
        setattr(slicer, name, importlib.import_module(f"slicer.{name}"))


def _modules(slicer, application_logic, scene, module):
    from vtkmodules.vtkCommonCore import vtkObject

    logics = {
        "Colors": slicer.vtkMRMLColorLogic(),
        "Markups": slicer.vtkSlicerMarkupsLogic(),
        "Models": slicer.vtkSlicerModelsLogic(),
        "Plots": slicer.vtkSlicerPlotsLogic(),
        "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic(),
        "SubjectHierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic(),
        "Tables": slicer.vtkSlicerTablesLogic(),
        "Terminologies": slicer.vtkSlicerTerminologiesModuleLogic(),
        "Texts": slicer.vtkSlicerTextsLogic(),
        "Volumes": slicer.vtkSlicerVolumesLogic(),
    }
    # Says at length that the terminologies of Slicer's application are not there, which is so.
    vtkObject.GlobalWarningDisplayOff()
    for name, logic in logics.items():
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)
        application_logic.SetModuleLogic(name, logic)
    vtkObject.GlobalWarningDisplayOn()
    logics["Colors"].AddDefaultColorNodes()
    return SimpleNamespace(**{name.lower(): module(name, logic) for name, logic in logics.items()})


def _let_bundles_be_read(slicer, scene, folder: str) -> None:
    """Give the scene what it unpacks bundles with."""
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(folder)
    manager = slicer.vtkDataIOManager()
    manager.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(manager)


def _not_imitated(name: str) -> type:
    """Stand for a widget class that is only compared with, as Slicer's own Python does."""
    if not name.startswith(("qMRML", "qSlicer")):
        raise AttributeError(f"module 'slicer' has no attribute {name!r}")
    return type(name, (), {})
