"""What an accelerated run lost in quality against the FP32 reference run on the same input."""

from __future__ import annotations

from ..manifest.model import PerRegion, QualityRetention, ReferenceRun
from ..study.regions import Region
from .dice import dice
from .hd95 import Spacing
from .regions import Labels, region_mask, score


def quality_retention(
    candidate: Labels,
    reference: Labels,
    spacing: Spacing,
    run: ReferenceRun,
    truth: Labels | None = None,
) -> QualityRetention:
    """Compare two runs on one case.

    Both are scored against the ground truth and subtracted, candidate minus reference. Where there
    is none, the reference run's label map stands in: its own Dice is then 1 and its HD95 0, so the
    deltas are the agreement less 1 and the HD95 between the two runs.

    :param candidate: labels of the accelerated run, (k, j, i).
    :param reference: labels of the reference run on the same grid.
    :param spacing: voxel size along (i, j, k) in mm.
    :param run: what the reference run was.
    :param truth: ground truth on the same grid; label 4 counts as enhancing tumour.
    """
    target = reference if truth is None else truth
    ours, theirs = score(candidate, target, spacing), score(reference, target, spacing)
    return QualityRetention(
        reference=run,
        truth="reference run" if truth is None else "ground truth",
        delta_dice=PerRegion.of({r: ours[r].dice - theirs[r].dice for r in Region}),
        delta_hd95_mm=PerRegion.of({r: ours[r].hd95_mm - theirs[r].hd95_mm for r in Region}),
        agreement_dice=PerRegion.of(
            {r: dice(region_mask(candidate, r), region_mask(reference, r)) for r in Region}
        ),
    )
