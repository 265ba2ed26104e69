"""``brainsegaccel evaluate``: two label maps compared, or a model with labelled cases."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Asked, takes_options

if TYPE_CHECKING:
    from ..evaluation.report import EvaluationReport
    from ..runs.options import RunOptions
    from .services import Services

HELP = "brainsegaccel evaluate --help shows what can be given"
ONLY_FOR_CASES = {
    "subsets": "--subsets",
    "output": "--output",
    "engine_backend": "--backend",
    "engine_precision": "--precision",
    "engine_device": "--device",
}
REPORT = "evaluation"


@takes_options(only=["model", "engine"])
def evaluate(
    context: typer.Context,
    asked: Asked,
    prediction: Annotated[
        Path | None, typer.Argument(metavar="PREDICTION", help="Label map or segmentation file.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Argument(metavar="REFERENCE", help="What it is compared with, on the same grid."),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Run the model on every case below DIR instead, and score it."
        ),
    ] = None,
    subsets: Annotated[
        bool, typer.Option("--subsets", help="With --cases: also every subset of the modalities.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=f"With --cases: folder for {REPORT}.md and {REPORT}.json; made if need be.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two label maps, or a model with labelled cases: Dice and HD95 by region.

    Label maps are read by the labels of the model, --model. A case below DIR is a folder with
    modalities, found as segment finds them, and labels: one image named seg, label or truth.
    """
    _check_arguments(context, prediction, reference, cases)
    if prediction is not None and reference is not None:
        _compare(prediction, reference, asked.options.model, as_json)
        return
    assert cases is not None
    report = _evaluate(context.obj, asked.options, cases, output, subsets)
    from ..evaluation.page import to_markdown
    from ..reporting.files import as_json as to_json

    print(to_json(report) if as_json else to_markdown(report), end="")
    if report.failed:
        from ..errors import RunError

        names = ", ".join(failed.case for failed in report.failed)
        raise RunError(
            f"{len(report.failed)} of {len(report.failed) + len(report.cases)} cases failed "
            f"({names})",
            where=str(cases),
            remedy="the report says why",
        )


def _evaluate(
    services: Services, options: RunOptions, cases: Path, output: Path | None, subsets: bool
) -> EvaluationReport:
    """Run the model on every case, and write the report into a folder if one is given."""
    from ..evaluation.page import to_markdown
    from ..evaluation.run import evaluate_cases
    from ..io.labelled import case_folders
    from ..reporting.files import write_report
    from ..runs.progress import StageClock
    from .folder import ready_folder
    from .progress import progress_on_stderr
    from .time_left import work_on_stderr

    folders = case_folders(cases)
    with nullcontext() if output is None else ready_folder(output):
        pipeline = services.make_pipeline(options.model, options.engine)
        with progress_on_stderr() as stages:
            pipeline.warm(StageClock(stages))
        with work_on_stderr() as work:
            report = evaluate_cases(folders, cases, pipeline, work, every_subset=subsets)
        if output is not None:
            write_report(report, to_markdown(report), output / REPORT)
    return report


def _check_arguments(
    context: typer.Context, prediction: Path | None, reference: Path | None, cases: Path | None
) -> None:
    """Refuse what contradicts itself: the command does one of two things.

    :raises InputError: neither or both are asked for; an option that would have no effect.
    """
    from ..errors import InputError

    if cases is not None and prediction is not None:
        raise InputError("--cases and PREDICTION are two different things", remedy=HELP)
    if cases is None and reference is None:
        raise InputError("give PREDICTION and REFERENCE, or --cases DIR", remedy=HELP)
    for name, option in ONLY_FOR_CASES.items() if cases is None else ():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise InputError("has an effect only with --cases", where=option, remedy=HELP)


def _compare(prediction: Path, reference: Path, model: str, as_json: bool) -> None:
    from ..evaluation.pair import compare_files
    from ..models.package import load_package

    scheme = load_package(model).card.outputs.scheme
    regions = compare_files(prediction, reference, scheme)
    if as_json:
        found = {name: scores.model_dump(mode="json") for name, scores in regions.items()}
        print(json.dumps(found, indent=2))
        return
    from rich.console import Console

    from .scores import scores_table

    Console(highlight=False).print(scores_table(regions, scheme))
