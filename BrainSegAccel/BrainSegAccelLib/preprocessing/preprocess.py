"""From a study to what a network is given: align, extract the brain, resample, normalise.

No engine is needed for it: runs, calibration, benchmarks and training all prepare a study here.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from ..errors import InputError
from ..geometry.volume import Volume
from ..models.description import Inputs
from ..study.study import Study
from .brain_extraction import FindBrain, extract_brain, given_brain
from .network_input import NetworkInput, make_network_input
from .options import PreprocessingOptions
from .registration.align import align
from .registration.protocol import Registration
from .registration.refine import SimpleItkRegistration


class Stage(Protocol):
    """A stage that is under way."""

    def advance(self, fraction: float, /) -> None:
        """Note that this share (0 to 1) of it is done."""
        ...


class Clock(Protocol):
    """Times the stages of preprocessing."""

    def stage(self, name: str, /) -> AbstractContextManager[Stage]:
        """Time the body as stage ``name``; a stage entered twice adds up."""
        ...


class Untimed:
    """A `Clock` and a `Stage` for callers that time nothing."""

    def stage(self, _name: str, /) -> AbstractContextManager[Stage]:
        """Do not time the body."""
        return nullcontext(self)

    def advance(self, _fraction: float, /) -> None:
        """Ignore it."""


def preprocess(
    study: Study,
    inputs: Inputs,
    window: tuple[int, int, int],
    options: PreprocessingOptions | None = None,
    *,
    find_brain: FindBrain,
    registration: Registration | None = None,
    brain_mask: Volume | None = None,
    clock: Clock | None = None,
) -> NetworkInput:
    """Make what a network is given of a study.

    :param inputs: what the network takes, of its model card.
    :param window: static (D, H, W) of the network; what is made is at least as large.
    :param options: what the user asks for; default: the usual.
    :param find_brain: how the brain is found where it has to be.
    :param registration: how modalities are registered; default: with SimpleITK.
    :param brain_mask: what is not 0 in it is brain, in the patient space of the reference; default:
        see ``options``.
    :param clock: times the stages "register", "extract brain" and "preprocess"; default: nobody
        does.
    :raises InputError: the network needs a modality that the study has not, or takes none of what
        it has; ``brain_mask`` lies elsewhere.
    :raises RunError: a brain was asked for and not found.
    """
    options, clock = options or PreprocessingOptions(), clock or Untimed()
    check_channels(study, inputs)
    reference = study[study.reference]
    with clock.stage("register") as progress:
        alignment = align(
            study,
            registration or SimpleItkRegistration(),
            options.registration,
            progress.advance,
        )
    with clock.stage("extract brain"):
        if brain_mask is not None:
            brain = given_brain(reference, brain_mask)
        else:
            brain = extract_brain(reference, options.brain_extraction, find_brain)
    with clock.stage("preprocess"):
        return make_network_input(study, inputs, window, alignment, options, brain)


def check_channels(study: Study, inputs: Inputs) -> None:
    """Check that a network can do with the modalities of a study.

    :raises InputError: it needs one that is missing, or takes none of those that are there.
    """
    missing = [modality.label for modality in inputs.required if modality not in study]
    if missing:
        raise InputError(
            f"the model needs {' and '.join(missing)}, which the study has not",
            remedy="give that volume, or another --model",
        )
    if inputs.modalities and not any(modality in study for modality in inputs.modalities):
        takes = ", ".join(modality.label for modality in inputs.modalities)
        raise InputError(
            f"the model takes {takes}, and the study has none of these",
            remedy="give one of them, or another --model",
        )
