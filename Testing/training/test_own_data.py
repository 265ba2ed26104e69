"""A user's own cases: seen as inference sees them, mixed in, held out, refused in a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")

from BrainSegAccelLib.cli.phantom import write_case  # noqa: E402
from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.io.labelled import labelled_cases  # noqa: E402
from BrainSegAccelLib.io.read import read_study  # noqa: E402
from BrainSegAccelLib.io.read_labels import read_labels  # noqa: E402
from BrainSegAccelLib.models.config import HybridConfig  # noqa: E402
from BrainSegAccelLib.models.tasks import TUMOUR  # noqa: E402
from BrainSegAccelLib.preprocessing.preprocess import preprocess  # noqa: E402
from BrainSegAccelLib.synthesis.cases import CaseGenerator  # noqa: E402
from BrainSegAccelLib.synthesis.lesions import CaseKind  # noqa: E402
from BrainSegAccelLib.training.config import (  # noqa: E402
    WHOLE_BRAIN,
    Stage,
    TrainingConfig,
)
from BrainSegAccelLib.training.normalisation import normalise  # noqa: E402
from BrainSegAccelLib.training.own_data import (  # noqa: E402
    OwnSource,
    open_own_data,
    read_own_case,
)
from BrainSegAccelLib.training.run import train  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small_brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms of a quarter of the size: made in 4 mm voxels, written as if of 1 mm."""
    folder = tmp_path_factory.mktemp("own")
    generator = CaseGenerator(4.0)
    for index, kind in enumerate((CaseKind.RING, CaseKind.SOLID, CaseKind.NONE)):
        (folder / f"case-{index}").mkdir()
        write_case(replace(generator.generate(index, kind), voxel=1.0), folder / f"case-{index}")
    return folder


def copy_case(case: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for file in case.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def rewrite_labels(case: Path, change: dict[int, int], shift_mm: float = 0.0) -> None:
    path = str(case / "seg.nii.gz")
    image = sitk.ReadImage(path)
    array = sitk.GetArrayFromImage(image)
    changed = sitk.GetImageFromArray(
        np.vectorize(lambda value: change.get(value, value), otypes=[np.uint8])(array)
    )
    changed.CopyInformation(image)
    changed.SetOrigin([position + shift_mm for position in image.GetOrigin()])
    sitk.WriteImage(changed, path, True)


def no_head_is_shown(_: object) -> np.ndarray:
    raise AssertionError("these are brains already")


def test_a_case_is_what_inference_sees_of_it(small_brains: Path) -> None:
    files = labelled_cases(small_brains)[0]
    case = read_own_case(files, CPU)
    seen = preprocess(
        read_study(files.images), TUMOUR.inputs, WHOLE_BRAIN, find_brain=no_head_is_shown
    )
    for image, expected in zip(case.images, torch.from_numpy(seen.x[0]), strict=True):
        assert torch.equal(image > 0, expected != 0)
        assert torch.equal(image >= 0.5, expected != 0)
        again = normalise(image, image > 0)
        torch.testing.assert_close(again, expected, rtol=0, atol=2e-2)
    truth = read_labels(files.labels, TUMOUR.outputs.scheme).labels
    for region, labels in zip(case.regions > 0.5, ((3,), (1, 3), (1, 2, 3)), strict=True):
        assert int(region.sum()) == np.isin(truth, labels).sum() > 0
        assert not (region & ~case.mask).any()


def test_label_4_is_enhancing_tumour(small_brains: Path, tmp_path: Path) -> None:
    case = copy_case(small_brains / "case-0", tmp_path / "data" / "case")
    rewrite_labels(case, {3: 4})
    (files,) = labelled_cases(tmp_path / "data")
    expected = read_own_case(labelled_cases(small_brains)[0], CPU)
    assert torch.equal(read_own_case(files, CPU).regions, expected.regions)


def test_a_missing_modality_is_a_channel_of_zeros(small_brains: Path, tmp_path: Path) -> None:
    case = copy_case(small_brains / "case-0", tmp_path / "data" / "case")
    (case / "t2.nii.gz").unlink()
    (files,) = labelled_cases(tmp_path / "data")
    present = read_own_case(files, CPU).images.flatten(1).any(dim=1)
    assert present.tolist() == [True, True, False, True]


def test_every_case_is_drawn_and_the_same_number_draws_the_same(small_brains: Path) -> None:
    source = OwnSource(labelled_cases(small_brains), CPU)
    voxels = [int(source.case(number).regions.sum()) for number in range(12)]
    assert len(set(voxels)) == 3
    assert int(source.case(7).regions.sum()) == voxels[7]


def make_names(folder: Path, count: int) -> Path:
    for index in range(count):
        (folder / f"patient-{index}").mkdir(parents=True, exist_ok=True)
        for name in ("flair.nii", "seg.nii"):
            (folder / f"patient-{index}" / name).touch()
    return folder


def test_a_share_is_held_out_and_stays_so_when_cases_are_added(tmp_path: Path) -> None:
    first = open_own_data(make_names(tmp_path, 60), held_out_share=0.25)
    more = open_own_data(make_names(tmp_path, 120), held_out_share=0.25)
    before = {case.name for case in first.cases}
    held_out = {case.name for case in more.held_out}
    assert {case.name for case in first.held_out} == held_out & before
    assert not held_out & {case.name for case in more.training}
    assert len({case.name for case in more.cases}) == 120
    assert 15 <= len(more.held_out) <= 45
    assert not open_own_data(tmp_path, held_out_share=0.0).held_out


def test_nothing_left_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"all 1 cases are held out.*held_out_share"):
        open_own_data(make_names(tmp_path, 1), held_out_share=0.9999)


@pytest.mark.parametrize(
    ("change", "shift_mm", "message"),
    [
        ({3: 7}, 0.0, r"seg\.nii\.gz: value 7 is no label"),
        ({}, 2.0, r"seg\.nii\.gz: does not lie on the grid of T1c \(t1c\.nii\.gz\)"),
    ],
)
def test_unusable_labels_are_found_before_training_begins(
    small_brains: Path, tmp_path: Path, change: dict[int, int], shift_mm: float, message: str
) -> None:
    copy_case(small_brains / "case-1", tmp_path / "data" / "good")
    rewrite_labels(copy_case(small_brains / "case-0", tmp_path / "data" / "bad"), change, shift_mm)
    config = tmp_path / "toy.json"
    config.write_text(toy().model_dump_json())
    with pytest.raises(InputError, match=message) as error:
        train(config, tmp_path / "run", data=tmp_path / "data")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def toy() -> TrainingConfig:
    return TrainingConfig(
        name="toy",
        network=HybridConfig(
            widths=(8, 8, 8, 8), encoder_blocks=(1, 0, 0, 0), ssd_blocks=(0, 0), head_width=8
        ),
        stages=(Stage(steps=2, shape=(48, 48, 48), samples_per_case=1),),
        workers=0,
        own_data_share=1.0,
        held_out_share=0.0,
        validation_cases=0,
    )


def test_a_run_on_own_cases_is_tied_to_them(small_brains: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("case-0", "case-1"):
        copy_case(small_brains / name, data / name)
    config, run = tmp_path / "toy.json", tmp_path / "run"
    config.write_text(toy().model_dump_json())
    train(config, run, data=data)
    recorded = TrainingConfig.model_validate_json((run / "training.json").read_bytes())
    assert recorded.own_data == open_own_data(data, 0.0).sha256()
    train(config, run, data=data, resume=True)
    rewrite_labels(data / "case-1", {3: 1})
    for other in (data, None):
        with pytest.raises(InputError, match=r"another training configuration.*--data"):
            train(config, run, data=other, resume=True)
