from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.evaluation.report import EvaluationReport, Outcome
from BrainSegAccelLib.evaluation.run import evaluate_cases
from BrainSegAccelLib.io.labelled import case_folders
from BrainSegAccelLib.runs.progress import Silent
from BrainSegAccelLib.runs.runner import Runner
from BrainSegAccelLib.study.modality import Modality, subsets
from BrainSegAccelLib.study.segmentation import Segmentation
from BrainSegAccelLib.study.study import Study
from label_schemes import TUMOUR

SHAPE = (30, 40, 28)


def tumour(*, enhancing: bool = True) -> np.ndarray:
    """Nested boxes of oedema, necrotic core and, labelled 4, enhancing tumour."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[8:20, 10:24, 8:20] = 2
    labels[10:16, 13:20, 10:16] = 1
    if enhancing:
        labels[11:14, 14:18, 11:14] = 4
    return labels


def found(labels: np.ndarray) -> Callable[[Study], Segmentation]:
    ours = np.where(labels == 4, 3, labels).astype(np.uint8)
    return lambda study: Segmentation(ours, study.reference_grid, TUMOUR.scheme)


def evaluate(root: Path, pipeline: Runner, **options: bool) -> EvaluationReport:
    return evaluate_cases(case_folders(root), root, pipeline, Silent(), **options)


def test_scores_of_a_case(root: Path, write_case, answering) -> None:
    write_case(root / "site" / "a", tumour())
    report = evaluate(root, answering(found(np.roll(tumour(), 2, axis=0))))
    (case,) = report.cases
    assert case.case == "site/a"
    assert case.modalities == tuple(Modality)
    whole = case.regions["WT"]
    assert whole.outcome is Outcome.FOUND
    assert whole.dice == pytest.approx(10 / 12)
    assert whole.hd95_mm == pytest.approx(2.0)
    assert whole.predicted_ml == whole.reference_ml == pytest.approx(12 * 14 * 12 / 1000)
    assert case.regions["ET"].dice == pytest.approx(1 / 3, abs=1e-6)
    assert case.subsets == report.subsets == ()
    assert case.no_network is not None
    assert report.mean.regions["WT"].dice == whole.dice
    assert report.model.name == "tiny"
    assert report.runtime.backend == "openvino"
    assert report.over_subsets is None


def test_regions_that_a_reference_lacks_are_counted_apart(
    root: Path, write_case, answering
) -> None:
    write_case(root / "a", tumour())
    write_case(root / "b", tumour(enhancing=False))
    report = evaluate(root, answering(found(tumour())))
    enhancing = report.mean.regions["ET"]
    assert (enhancing.cases, enhancing.without, enhancing.false_positives) == (1, 1, 1)
    assert enhancing.dice == 1.0
    assert enhancing.dice_empty_counted == 0.5
    assert enhancing.false_ml == pytest.approx(0.036)
    assert report.cases[1].regions["ET"].outcome is Outcome.FALSE_POSITIVE
    report = evaluate(root, answering(found(tumour(enhancing=False))))
    enhancing = report.mean.regions["ET"]
    assert (enhancing.missed, enhancing.rightly_empty, enhancing.dice) == (1, 1, 0.0)
    assert enhancing.dice_empty_counted == 0.5


def test_every_subset_runs_on_one_engine(root: Path, write_case, answering, tiny_pipeline) -> None:
    write_case(root / "four", tumour())
    write_case(root / "two", tumour(), modalities=(Modality.T1C, Modality.T2))
    engine = tiny_pipeline.warm()
    pipeline = answering(found(tumour()))
    report = evaluate(root, pipeline, every_subset=True)
    assert tiny_pipeline.warm() is engine
    assert [tuple(study) for study in pipeline.seen[:15]] == subsets()
    assert [tuple(study) for study in pipeline.seen[15:]] == [
        (Modality.T1C,),
        (Modality.T2,),
        (Modality.T1C, Modality.T2),
    ]
    counted = {subset.modalities: subset.cases for subset in report.subsets}
    assert list(counted) == subsets()
    assert counted[Modality.T1C, Modality.T2] == 2
    assert counted[tuple(Modality)] == 1
    four, two = report.cases
    assert four.regions == four.subsets[-1].regions
    assert (four.no_network is None, two.no_network is None) == (False, True)
    assert report.over_subsets is not None
    assert report.over_subsets.regions["ET"].subsets == 8
    assert report.over_subsets.untold["ET"].subsets == 7
    assert report.over_subsets.no_network.subsets == 8


def truncate(case: Path) -> None:
    path = case / "t1.nii.gz"
    path.write_bytes(path.read_bytes()[:500])


def second_t2(case: Path) -> None:
    (case / "other_T2w.nii.gz").write_bytes((case / "t2.nii.gz").read_bytes())


def move_labels(case: Path) -> None:
    labels = sitk.ReadImage(str(case / "seg.nii.gz"))
    labels.SetOrigin([position + 3.0 for position in labels.GetOrigin()])
    sitk.WriteImage(labels, str(case / "seg.nii.gz"))


def unknown_label(case: Path) -> None:
    labels = sitk.ReadImage(str(case / "seg.nii.gz"))
    sitk.WriteImage(labels + 5 * sitk.Cast(labels > 3, sitk.sitkUInt8), str(case / "seg.nii.gz"))


def remove_images(case: Path) -> None:
    for modality in Modality:
        (case / f"{modality}.nii.gz").unlink()


BROKEN = {
    "truncated image": (truncate, "bad/t1.nii.gz: truncated"),
    "two files for one modality": (second_t2, "bad: 2 files could be T2"),
    "no labels": (lambda case: (case / "seg.nii.gz").unlink(), "bad: has no labels"),
    "no images": (remove_images, "bad: no image is named like an MR sequence"),
    "labels on no grid": (move_labels, "bad/seg.nii.gz: the labels lie on the grid of none"),
    "unknown label": (unknown_label, "bad/seg.nii.gz: value 9 is no label"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_case_is_recorded_and_the_rest_goes_on(
    root: Path, write_case, answering, spoil: Callable[[Path], object], message: str
) -> None:
    for name in ("a", "bad", "c"):
        write_case(root / name, tumour())
    spoil(root / "bad")
    report = evaluate(root, answering(found(tumour())), every_subset=False)
    assert [case.case for case in report.cases] == ["a", "c"]
    assert report.mean.cases == 2
    (failed,) = report.failed
    assert failed.case == "bad"
    assert failed.error.startswith(message)
    assert "\n" not in failed.error


def test_whatever_goes_wrong_with_one_case_is_recorded(root: Path, write_case, answering) -> None:
    write_case(root / "a", tumour())
    write_case(root / "b", tumour())
    answers = iter([found(tumour())])

    def answer(study: Study) -> Segmentation:
        return next(answers)(study)

    report = evaluate(root, answering(answer))
    assert [case.case for case in report.cases] == ["a"]
    assert report.failed[0].error == "failed, StopIteration:"


def test_all_cases_may_fail(root: Path, write_case, answering) -> None:
    write_case(root / "a", tumour())
    truncate(root / "a")
    report = evaluate(root, answering(found(tumour())), every_subset=True)
    assert report.cases == report.subsets == ()
    assert report.mean.regions["WT"].dice is None
    assert report.reason == "over_subsets: no case could be evaluated"


def test_labels_may_lie_on_the_grid_of_another_modality(
    root: Path, write_case, tiny_pipeline
) -> None:
    """T1c is the reference, of thicker slices; the labels were drawn on FLAIR."""
    write_case(root / "a", tumour())
    t1c = root / "a" / "t1c.nii.gz"
    sitk.WriteImage(sitk.BinShrink(sitk.ReadImage(str(t1c)), [1, 1, 2]), str(t1c))
    (case,) = evaluate(root, tiny_pipeline, every_subset=True).cases
    for scores in case.subsets:
        assert scores.regions["WT"].reference_ml == pytest.approx(12 * 14 * 12 / 1000)


class Recorder:
    """Remembers what it is told, and stops the work at a stage."""

    def __init__(self, stop_at: str = "") -> None:
        self.stages: list[str] = []
        self.shares: list[float] = []
        self._stop_at = stop_at

    def begin(self, stage: str) -> None:
        self.stages.append(stage)
        if self._stop_at and self._stop_at in stage:
            raise KeyboardInterrupt

    def advance(self, fraction: float) -> None:
        self.shares.append(fraction)


def test_progress_names_cases_and_counts_every_run(root: Path, write_case, answering) -> None:
    for name in ("a", "b"):
        write_case(root / name, tumour(), modalities=(Modality.T1, Modality.FLAIR))
    told = Recorder()
    pipeline = answering(found(tumour()))
    evaluate_cases(case_folders(root), root, pipeline, told, every_subset=True)
    assert told.stages == ["case 1 of 2, a", "case 2 of 2, b"]
    assert sorted(set(told.shares)) == pytest.approx([n / 6 for n in range(1, 7)])
    assert told.shares == sorted(told.shares)


def test_it_can_be_cancelled(root: Path, write_case, answering) -> None:
    for name in ("a", "b"):
        write_case(root / name, tumour())
    pipeline = answering(found(tumour()))
    with pytest.raises(KeyboardInterrupt):
        evaluate_cases(case_folders(root), root, pipeline, Recorder(stop_at="case 2"))
    assert len(pipeline.seen) == 1
