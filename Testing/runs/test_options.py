"""Every option of a run is one field, which command line and manifest show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import typer
from BrainSegAccelLib.backends.choice import EngineChoice
from BrainSegAccelLib.cli.main import app
from BrainSegAccelLib.cli.options import Asked, takes_options
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.models.package import ModelPackage
from BrainSegAccelLib.runs.execute import execute
from BrainSegAccelLib.runs.files import FileInputs, FileOutput, manifest_beside
from BrainSegAccelLib.runs.in_memory import HandedBack, MemoryInputs
from BrainSegAccelLib.runs.options import RunOptions
from BrainSegAccelLib.runs.pipeline import Pipeline
from BrainSegAccelLib.runs.progress import StageClock
from BrainSegAccelLib.settings import Settings, arguments_of, checked, settings_of
from BrainSegAccelLib.study.study import Study
from pydantic import Field
from typer.testing import CliRunner

ALL = tuple(settings_of(RunOptions))
ONLY_IN_A_PROGRAM = {"roi", "base"}
"""Values that nobody could type: a box that is drawn, and what an earlier run found."""


class Smoothing(Settings):
    """What somebody adds: a part of its own, with one setting of each kind."""

    sigma_mm: Annotated[float, Field(ge=0, le=5)] = Field(
        default=1.5, description="Width of the kernel.", json_schema_extra={"unit": "mm"}
    )
    edges: Literal["keep", "blur"] = Field(default="keep", description="What becomes of edges.")
    twice: bool = Field(default=False, description="Do it again.")


class MoreOptions(RunOptions):
    """The options of a run, and what somebody adds."""

    smoothing: Smoothing = Smoothing()
    passes: int = Field(default=1, gt=0, lt=9, title="Passes", description="How often.")


@pytest.fixture
def invoke() -> Callable[..., tuple[str, list[Asked]]]:
    """Run a command that takes `MoreOptions`, as somebody who adds them would have it."""
    seen: list[Asked] = []
    somebodys = typer.Typer(pretty_exceptions_enable=False)

    @somebodys.command()
    @takes_options(model=MoreOptions)
    def command(asked: Asked) -> None:
        seen.append(asked)

    def run(*arguments: str) -> tuple[str, list[Asked]]:
        done = CliRunner().invoke(somebodys, arguments, env={"COLUMNS": "300"})
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output, seen

    return run


@pytest.fixture(scope="module")
def shown() -> str:
    """What ``segment --help`` prints, on one line."""
    help_ = CliRunner().invoke(app, ["segment", "--help"], env={"COLUMNS": "300"}).output
    return " ".join(help_.replace("│", " ").split())


@pytest.mark.parametrize("setting", ALL, ids=[setting.name for setting in ALL])
def test_segment_shows_every_setting_with_its_help_range_and_unit(setting, shown: str) -> None:
    assert (setting.option is None) == (setting.name in ONLY_IN_A_PROGRAM)
    assert setting.title
    assert setting.help
    if setting.option is not None:
        assert setting.option in shown
        assert " ".join(setting.help.rstrip(".").split()) in shown
        assert setting.range in shown


def test_options_say_all_of_themselves_as_json() -> None:
    document = RunOptions().model_dump(mode="json")
    for setting in ALL:
        place = document
        for name in setting.path:
            assert name in place
            place = place[name]
    assert json.loads(json.dumps(document)) == document
    assert checked(RunOptions, document) == RunOptions()


def test_a_path_of_a_model_is_named_by_its_last_part() -> None:
    options = RunOptions(model="/home/jane/models/own.card.json")
    assert options.model_dump(mode="json")["model"] == "own.card.json"
    assert options.model_dump()["model"] == options.model


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"iterations": 19}, "--benchmark: 19 is out of range; give 20 or more"),
        (
            {"refinement": {"thresholds": {"ET": 1.5}}},
            "--threshold: ET=1.5 is out of range; give 0.05 to 1",
        ),
        (
            {"refinement": {"smallest_lesion_ml": -0.1}},
            "--smallest-lesion: -0.1 is out of range; give 0 ml or more",
        ),
        ({"refinement": {"peak_odds": 0.5}}, "--peak-odds: 0.5 is out of range; give 1 or more"),
        ({"refinement": {"peak_odds": float("nan")}}, "--peak-odds: nan is out of range"),
        (
            {"engine": {"precision": "fp8"}},
            "--precision: unknown precision 'fp8'; use one of auto, fp32, tf32, fp16, bf16, int8",
        ),
        ({"engine": {"device": "tpu"}}, "--device: unknown device 'tpu'; use one of auto, cpu"),
        (
            {"preprocessing": {"registration": "maybe"}},
            "--registration: unknown registration 'maybe'; use one of auto, on, off",
        ),
        ({"brain_mask": 7}, "--brain-mask: 7: not a Volume"),
        ({"speed": 7}, "speed: Extra inputs are not permitted"),
    ],
)
def test_a_value_that_is_refused_is_one_line_with_what_can_be_given(values, said: str) -> None:
    with pytest.raises(InputError) as refused:
        checked(RunOptions, values)
    assert str(refused.value).startswith(said)


def test_a_setting_that_somebody_adds_is_an_option(invoke) -> None:
    shown, _ = invoke("--help")
    shown = " ".join(shown.replace("│", " ").split())
    assert "--sigma-mm" in shown
    assert "Width of the kernel (0 to 5 mm)." in shown
    assert "keep|blur" in shown
    assert "How often (more than 0 and less than 9)." in shown
    _, (asked,) = invoke("--sigma-mm", "2.5", "--edges", "blur", "--twice", "--passes", "3")
    assert isinstance(asked.options, MoreOptions)
    assert asked.options.smoothing == Smoothing(sigma_mm=2.5, edges="blur", twice=True)
    assert asked.options.passes == 3
    with pytest.raises(InputError, match=r"--sigma-mm: 7.0 is out of range; give 0 to 5 mm"):
        invoke("--sigma-mm", "7")
    with pytest.raises(InputError, match="--passes: 9 is out of range; give more than 0 and less"):
        invoke("--passes", "9")


def test_a_setting_that_somebody_adds_is_in_the_manifest(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache
) -> None:
    engine = EngineChoice(backend="onnxruntime")
    options = MoreOptions(engine=engine, smoothing=Smoothing(sigma_mm=2.0))
    _, manifest = execute(
        MemoryInputs(four_modalities),
        options,
        HandedBack(),
        make_pipeline=lambda _model, engine: Pipeline(tiny_package, engine, engine_cache),
        clock=StageClock(),
    )
    assert manifest.requested["smoothing"] == {"sigma_mm": 2.0, "edges": "keep", "twice": False}
    assert manifest.requested == options.model_dump(mode="json")


def test_arguments_ask_for_the_same_again(invoke) -> None:
    asked = MoreOptions(
        model="fast",
        engine=EngineChoice(backend="openvino", precision="int8"),
        refinement={"thresholds": {"ET": 0.3, "WT": 0.25}, "smallest_lesion_ml": 0.2},
        grid="1mm",
        verify=True,
        smoothing=Smoothing(twice=True),
    )
    arguments = arguments_of(asked)
    assert arguments[:2] == ["--model", "fast"]
    _, (again,) = invoke(*arguments)
    assert again.options == asked
    assert arguments_of(MoreOptions()) == []


@pytest.mark.parametrize("text", ["ET", "=0.5", "ET:0.5"])
def test_a_threshold_says_of_what(invoke, text: str) -> None:
    with pytest.raises(InputError, match=r"--threshold: .* give REGION=VALUE"):
        invoke("--threshold", text)


def test_values_that_are_read_from_files_are_named_by_them(invoke) -> None:
    _, (asked,) = invoke("--brain-mask", "mask.nii.gz", "--grid", "other.nii.gz")
    assert asked.files == {"brain_mask": Path("mask.nii.gz"), "grid": Path("other.nii.gz")}
    assert asked.options == MoreOptions()


@pytest.mark.parametrize("grid", ["reference", "1mm", "flair"])
def test_a_grid_that_has_a_name_is_no_file(invoke, grid: str) -> None:
    _, (asked,) = invoke("--grid", grid)
    assert asked.files == {}
    assert asked.options.grid == grid


def test_a_modality_that_was_not_given_is_no_grid(
    four_modalities: Study, tiny_package: ModelPackage, engine_cache
) -> None:
    rest = Study({m: v for m, v in four_modalities.items() if m != "flair"})
    pipeline = Pipeline(tiny_package, EngineChoice(backend="onnxruntime"), engine_cache)
    with pytest.raises(InputError, match="--grid: FLAIR was not given; name one of t1, t1c, t2"):
        pipeline.run(rest, RunOptions(grid="flair"))


def test_a_record_of_a_mask_names_its_voxels_and_place_and_nothing_else() -> None:
    mask = Volume(np.ones((2, 2, 2), np.float32), np.eye(4), "Jane_Doe.nii.gz")
    told = RunOptions(brain_mask=mask).model_dump(mode="json")["brain_mask"]
    assert told == {"sha256": mask.sha256, "affine": np.eye(4).tolist()}


def test_files_and_volumes_in_memory_give_the_same_result_and_record(
    write_case, tiny_package: ModelPackage, engine_cache, tmp_path: Path
) -> None:
    case = write_case(tmp_path / "case", np.zeros((30, 40, 28), np.uint8))
    (case / "seg.nii.gz").unlink()
    options = RunOptions(
        engine=EngineChoice(backend="onnxruntime"), refinement={"thresholds": {"WT": 0.4}}
    )
    inputs = FileInputs(discover(case))
    place = tmp_path / "out.nii.gz"
    output = FileOutput(place, manifest_beside(place), inputs)

    def run(inputs, output):
        return execute(
            inputs,
            options,
            output,
            make_pipeline=lambda _model, engine: Pipeline(tiny_package, engine, engine_cache),
            clock=StageClock(),
        )

    from_files, told = run(inputs, output)
    in_memory, told_too = run(MemoryInputs(inputs.study()), HandedBack())
    np.testing.assert_array_equal(from_files.segmentation.labels, in_memory.segmentation.labels)
    assert told.requested == told_too.requested
    assert told.preprocessing == told_too.preprocessing
    assert told.outputs[0].thresholds == told_too.outputs[0].thresholds
