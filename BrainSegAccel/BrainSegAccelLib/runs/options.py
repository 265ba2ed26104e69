"""What is asked of a run: every setting that there is, one field each.

Command line, panel, manifest and batch go by these fields: a new setting is one more of them, here
or in the part that it belongs to.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PlainSerializer, SerializationInfo

from ..backends.choice import EngineChoice
from ..postprocessing.refinement import Refinement
from ..preprocessing.options import PreprocessingOptions
from ..records import MIN_ITERATIONS
from ..resources import DEFAULT_MODEL
from ..settings import Settings
from ..study.modality import Modality
from .lazy_type import lazy_type

if TYPE_CHECKING:
    from ..geometry.roi import Roi
    from ..geometry.volume import Grid, Volume
    from ..postprocessing.kept import KeptProbabilities
else:
    # The command line's help shows these fields, and imports no numpy for it.
    Roi = lazy_type("geometry.roi", "Roi")
    Grid, Volume = (lazy_type("geometry.volume", name) for name in ("Grid", "Volume"))
    KeptProbabilities = lazy_type("postprocessing.kept", "KeptProbabilities")

REFERENCE: Literal["reference"] = "reference"
"""Stands for the grid of the reference volume."""
MODEL_GRID: Literal["1mm"] = "1mm"
"""Stands for the isotropic grid that the network saw, in the reference's place."""


def _without_folders(model: str, info: SerializationInfo) -> str:
    """Return how a record names a model: a path by its last part only."""
    return model if info.context is not None else PurePath(model).name


class RunOptions(Settings):
    """What is asked of a run.

    Written as JSON without a context, arrays are digests and nothing holds a path or the name of a
    file: that is what a manifest records as requested.
    """

    model: Annotated[str, PlainSerializer(_without_folders, when_used="json")] = Field(
        default=DEFAULT_MODEL,
        min_length=1,
        title="Model",
        description="Shipped model (brainsegaccel info lists them), or a .card.json file or its "
        "folder.",
        json_schema_extra={"metavar": "NAME|PATH"},
    )
    engine: EngineChoice = EngineChoice()
    preprocessing: PreprocessingOptions = PreprocessingOptions()
    brain_mask: Volume | None = Field(
        default=None,
        title="Brain mask",
        description="Mask to use instead of looking for the brain: not 0 in the brain, in the "
        "space of T1c (or what stands for it), on any grid.",
        json_schema_extra={"metavar": "FILE", "file": True},
    )
    refinement: Refinement = Refinement()
    grid: Literal["reference", "1mm"] | Modality | Grid = Field(
        default=REFERENCE,
        title="Grid",
        description="What the segmentation overlays: T1c (or what stands for it), the isotropic "
        "grid that the network saw, another modality, or any other volume.",
        json_schema_extra={"metavar": "reference|1mm|MODALITY|PATH", "file": True},
    )
    roi: Roi | None = Field(
        default=None,
        title="Region of interest",
        description="Run only around this box, and change nothing outside of it.",
        json_schema_extra={"option": None},
    )
    base: KeptProbabilities | None = Field(
        default=None,
        title="Earlier result",
        description="What an earlier run found on the same grid, to stay outside of the region of "
        "interest; without it, there is no tumour.",
        json_schema_extra={"option": None},
    )
    iterations: int | None = Field(
        default=None,
        ge=MIN_ITERATIONS,
        title="Iterations",
        description="Also time this many warm iterations.",
        json_schema_extra={"option": "--benchmark", "metavar": "N"},
    )
    verify: bool = Field(
        default=False,
        title="Verification",
        description="Also compare with an FP32 reference run.",
    )
