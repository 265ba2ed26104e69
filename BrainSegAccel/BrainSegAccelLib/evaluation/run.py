"""Running the model over labelled cases and scoring what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..errors import BrainSegAccelError, InputError
from ..io.labelled import GRID_TOLERANCE_MM, label_file
from ..io.read import read_study
from ..io.read_labels import read_labels
from ..io.source import find_sources
from ..manifest.build import identify_model
from ..manifest.model import Software
from ..runs.options import RunOptions
from ..runs.progress import Progress
from ..runs.runner import Runner
from ..study.modality import Modality, subsets
from ..study.study import Study
from .baseline import evaluate_baseline
from .report import (
    SCHEMA_VERSION,
    CaseRecord,
    EvaluationReport,
    EvaluationRuntime,
    FailedCase,
    RegionScores,
    SubsetScores,
    conventions,
    scores_by_region,
)
from .summary import over_subsets, summarise, summarise_subsets

NOT_ASKED_FOR = "over_subsets: subsets were not asked for"
NONE_EVALUATED = "over_subsets: no case could be evaluated"


def evaluate_cases(
    folders: Sequence[Path],
    root: Path,
    pipeline: Runner,
    progress: Progress,
    *,
    every_subset: bool = False,
) -> EvaluationReport:
    """Evaluate the model on every case; a case that fails is recorded and the rest goes on.

    :param folders: as `io.labelled.case_folders` finds them.
    :param root: the folder that cases are named in relation to.
    :param pipeline: its engine is built before the first case, and runs all of them.
    :param progress: told of every case, and of the share of all work that is done.
    :param every_subset: whether to run every subset of a case's modalities too.
    :raises BrainSegAccelError: the engine cannot be built.
    """
    engine = pipeline.warm().info
    cases: list[CaseRecord] = []
    failed: list[FailedCase] = []
    for index, folder in enumerate(folders):
        name = root.name if folder == root else folder.relative_to(root).as_posix()
        progress.begin(f"case {index + 1} of {len(folders)}, {name}")

        def advance(share: float, before: int = index) -> None:
            progress.advance((before + share) / len(folders))

        try:
            cases.append(evaluate_case(folder, name, pipeline, advance, every_subset=every_subset))
        except Exception as error:  # Whatever is wrong with one case, the others can be evaluated.
            failed.append(FailedCase(case=name, error=_in_one_line(error, root)))
        advance(1.0)
    scheme = pipeline.package.card.outputs.scheme
    of_subsets = summarise_subsets(cases, scheme)
    reason = NONE_EVALUATED if every_subset else NOT_ASKED_FOR
    return EvaluationReport(
        schema_version=SCHEMA_VERSION,
        created_utc=datetime.now(UTC),
        software=Software.this(),
        model=identify_model(pipeline.package.card),
        runtime=EvaluationRuntime.of(engine),
        conventions=conventions(scheme),
        whole=scheme.whole.identifier,
        cases=tuple(cases),
        failed=tuple(failed),
        mean=summarise(cases, scheme),
        subsets=tuple(of_subsets),
        over_subsets=over_subsets(of_subsets, scheme) if of_subsets else None,
        reason=None if of_subsets else reason,
    )


def evaluate_case(
    folder: Path,
    name: str,
    pipeline: Runner,
    advance: Callable[[float], None],
    *,
    every_subset: bool,
) -> CaseRecord:
    """Run the model on one case, with all its modalities or with every subset, and score it.

    :raises InputError: modalities or labels that are missing, unclear or unreadable; labels that
        lie on none of the images' grids.
    """
    images, labels = find_sources(folder), label_file(folder)
    study, truth = read_study(images), read_labels(labels, pipeline.package.card.outputs.scheme)
    overlaid = [m for m in study if truth.grid.same_as(study[m].grid, GRID_TOLERANCE_MM)]
    if not overlaid:
        raise InputError(
            "the labels lie on the grid of none of the images",
            where=str(labels),
            remedy="resample them onto the grid of one with nearest neighbours",
        )
    everything = tuple(study)
    wanted = [s for s in subsets() if set(s) <= set(study)] if every_subset else [everything]
    found: dict[tuple[Modality, ...], dict[str, RegionScores]] = {}
    for done, modalities in enumerate(wanted, 1):
        part = Study({modality: study[modality] for modality in modalities})
        overlays = (m for m in (part.reference, *part) if m in overlaid)
        result = pipeline.run(part, RunOptions(grid=next(overlays, truth.grid)))
        found[modalities] = scores_by_region(result.segmentation, truth)
        advance(done / len(wanted))
    flair = study.get(Modality.FLAIR)
    return CaseRecord(
        case=name,
        modalities=everything,
        regions=found[everything],
        no_network=RegionScores.of(evaluate_baseline(flair, truth)) if flair else None,
        subsets=tuple(SubsetScores(modalities=m, regions=scores) for m, scores in found.items())
        if every_subset
        else (),
        reason=None if flair else "no_network: the case has no FLAIR",
    )


def _in_one_line(error: Exception, root: Path) -> str:
    """Return what is wrong with a case, without the path of the folder that was evaluated."""
    known = isinstance(error, BrainSegAccelError)
    message = str(error) if known else f"failed, {type(error).__name__}: {error}"
    return " ".join(message.replace(f"{root}/", "").split())
