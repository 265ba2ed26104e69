"""What an accelerated run lost in quality against the FP32 reference run on the same input."""

from __future__ import annotations

from ..metrics.dice import dice
from ..metrics.regions import score
from ..study.segmentation import Segmentation
from .model import QualityRetention, ReferenceRun


def quality_retention(
    candidate: Segmentation,
    reference: Segmentation,
    run: ReferenceRun,
    truth: Segmentation | None = None,
) -> QualityRetention:
    """Compare two runs on one case.

    Both are scored against the ground truth and subtracted, candidate minus reference. Where there
    is none, the reference run's label map stands in: its own Dice is then 1 and its HD95 0, so the
    deltas are the agreement less 1 and the HD95 between the two runs.

    :param candidate: of the accelerated run.
    :param reference: of the reference run, on the same grid.
    :param run: what the reference run was.
    :param truth: ground truth on the same grid.
    """
    target = reference if truth is None else truth
    ours, theirs = score(candidate, target), score(reference, target)
    scheme = reference.scheme
    return QualityRetention(
        reference=run,
        truth="reference run" if truth is None else "ground truth",
        delta_dice={r: ours[r].dice - theirs[r].dice for r in ours},
        delta_hd95_mm={r: ours[r].hd95_mm - theirs[r].hd95_mm for r in ours},
        agreement_dice={
            region.identifier: dice(
                scheme.mask(candidate.labels, region), scheme.mask(reference.labels, region)
            )
            for region in scheme.regions
        },
    )
