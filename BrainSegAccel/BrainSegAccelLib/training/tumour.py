"""What training has to know of the tumour network: its synthetic cases, for steps and scores."""

from __future__ import annotations

import torch

from ..models.tasks import TUMOUR
from ..study.modality import Modality
from ..synthesis.lesions import CaseKind
from ..synthesis.rng import Rng
from .config import WHOLE_BRAIN, Stage, TrainingConfig
from .normalisation import normalise, remove_shading
from .samples import Sample
from .sources import SyntheticSource, TrainingCase, synthetic_sources
from .task import TrainingTask
from .tumour_samples import draw_sample
from .validation import FIRST_SEED, ValidationCase, ValidationSet
from .windows import box_of, cut


def synthetic_cases(config: TrainingConfig, device: torch.device) -> ValidationSet:
    """Return whole brains at 1 mm, of every :class:`CaseKind` in turn."""
    source = SyntheticSource(1.0, device)
    kinds = list(CaseKind)

    def make(index: int) -> ValidationCase:
        case = source.generator.generate(FIRST_SEED + index, kinds[index % len(kinds)])
        return validation_case(case)

    return ValidationSet("", config.validation_cases, make)


def validation_case(case: TrainingCase) -> ValidationCase:
    """Normalise a case and cut it to its mask's bounding box."""
    box = box_of(case.mask)
    start = [side.start for side in box]
    depth, height, width = (side.stop - side.start for side in box)
    shape = (depth, height, width)
    seen = [case.mask & (image > 0) for image in case.images]
    images = torch.stack(
        [
            normalise(remove_shading(image, shown, case.voxel, modality), shown)
            for modality, image, shown in zip(Modality, case.images, seen, strict=True)
        ]
    )
    return ValidationCase(
        cut(images, start, shape).half().cpu(),
        case.images.flatten(1).any(dim=1).float().cpu(),
        cut(case.regions > 0.5, start, shape).cpu(),
        case.voxel,
    )


def draw_turn(
    rng: Rng, case: TrainingCase, stage: Stage, config: TrainingConfig, _turn: int
) -> Sample:
    """Draw a sample; all samples of a case are drawn alike."""
    return draw_sample(rng, case, stage, config.subsets)


TUMOUR_TRAINING = TrainingTask(
    task=TUMOUR,
    window=WHOLE_BRAIN,
    draw=draw_turn,
    sources=synthetic_sources,
    validation=synthetic_cases,
)
