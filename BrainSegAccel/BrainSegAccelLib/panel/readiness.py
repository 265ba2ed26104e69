"""Whether a run is possible, and what is missing if it is not."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..study.modality import Modality
from .parameters import BrainSegAccelParameterNode, inputsOf


def whatIsMissing(parameters: BrainSegAccelParameterNode, impossible: str, running: bool) -> str:
    """Return the first thing that stands in the way of a run; empty if nothing does.

    :param impossible: why this computer cannot run what is selected; empty if it can.
    """
    inputs = inputsOf(parameters)
    if running:
        return _("A run is in progress.")
    if not inputs:
        return _("Select at least one of T1, T1c, T2 and FLAIR.")
    selected: dict[str, Modality] = {}
    for modality, node in inputs.items():
        if node.GetImageData() is None:
            return _("{name} has no voxels.").format(name=node.GetName())
        if (other := selected.setdefault(node.GetID(), modality)) is not modality:
            return _("{name} is selected as {one} and as {two}.").format(
                name=node.GetName(), one=other.label, two=modality.label
            )
    return impossible
