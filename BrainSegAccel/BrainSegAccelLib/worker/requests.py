"""What a worker can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..geometry.roi import Roi
from ..geometry.volume import Volume
from ..postprocessing.kept import KeptProbabilities
from ..postprocessing.refinement import Refinement
from ..preprocessing.options import PreprocessingOptions
from ..resources import DEFAULT_MODEL
from ..study.modality import Modality


@dataclass(frozen=True)
class Options:
    """How the network runs.

    :param model: name of a shipped model, or path of a model card or its folder.
    :param backend: name of a backend, or ``auto``.
    :param precision: a `backends.protocol.Precision`, or ``auto``.
    :param device: a `backends.protocol.Device`, or ``auto``.
    """

    model: str = DEFAULT_MODEL
    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class Segment:
    """Segment a study; answered by `events.Segmented`.

    The volumes need not make a valid `study.Study`: the worker checks them, so that the caller
    need not wait for it, and answers `events.Failed` with the reason. Their arrays must not change
    until the task is answered.

    :param volumes: one to four of T1, T1c, T2 and FLAIR.
    :param refinement: thresholds and smallest lesion of the labels that come back.
    :param iterations: also time this many warm iterations, 20 or more, for the manifest.
    :param verify: also compare with an FP32 reference run, for the manifest.
    :param roi: run only inside of this box.
    :param base: what an earlier run found on the same reference grid; stays outside of ``roi``.
        None leaves background there.
    :param preprocessing: when to register, and what else to do before the network.
    :param brain_mask: what is not 0 in it is brain; None for what ``preprocessing`` says.
    """

    volumes: Mapping[Modality, Volume]
    options: Options = field(default_factory=Options)
    refinement: Refinement = field(default_factory=Refinement)
    iterations: int | None = None
    verify: bool = False
    roi: Roi | None = None
    base: KeptProbabilities | None = None
    preprocessing: PreprocessingOptions = field(default_factory=PreprocessingOptions)
    brain_mask: Volume | None = None


@dataclass(frozen=True)
class WarmUp:
    """Build the engine, or load it, before it is needed; answered by `events.Warmed`."""

    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class ListBackends:
    """Say what runs on this machine, or why not; answered by `events.Listed`."""


Request = Segment | WarmUp | ListBackends
