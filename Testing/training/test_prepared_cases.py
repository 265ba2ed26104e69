"""A user's own cases, prepared: seen as inference sees them, kept, and made anew when need be."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nilearn")

from BrainSegAccelLib.errors import InputError  # noqa: E402
from BrainSegAccelLib.geometry.volume import Volume  # noqa: E402
from BrainSegAccelLib.io.labelled import LabelledCase, labelled_cases  # noqa: E402
from BrainSegAccelLib.io.read import read_study  # noqa: E402
from BrainSegAccelLib.io.read_labels import read_labels  # noqa: E402
from BrainSegAccelLib.models.tasks import BRAIN, TUMOUR, Task  # noqa: E402
from BrainSegAccelLib.preprocessing.network_input import NetworkInput  # noqa: E402
from BrainSegAccelLib.preprocessing.preprocess import preprocess  # noqa: E402
from BrainSegAccelLib.training.config import WHOLE_BRAIN  # noqa: E402
from BrainSegAccelLib.training.normalisation import normalise  # noqa: E402
from BrainSegAccelLib.training.prepared_cases import (  # noqa: E402
    OwnCase,
    OwnSource,
    PreparedCase,
    PreparedCases,
    prepare_case,
)

from .conftest import copy_case, rewrite_labels  # noqa: E402

CPU = torch.device("cpu")


def no_head_is_shown(_: Volume) -> np.ndarray:
    raise AssertionError("these are brains already")


def in_inference(files: LabelledCase) -> NetworkInput:
    study = read_study(files.images)
    return preprocess(study, TUMOUR.inputs, WHOLE_BRAIN, find_brain=no_head_is_shown)


def test_a_case_is_what_inference_sees_of_it(small_brains: Path) -> None:
    files = labelled_cases(small_brains)[0]
    case = OwnCase.of(prepare_case(files), 1.0, CPU)
    given = torch.from_numpy(in_inference(files).x[0])
    inside = (given != 0).any(dim=0).nonzero()
    low, past = inside.amin(dim=0).tolist(), (inside.amax(dim=0) + 1).tolist()
    given = given[:, low[0] : past[0], low[1] : past[1], low[2] : past[2]]
    for image, expected in zip(case.images, given, strict=True):
        assert torch.equal(image > 0, expected != 0)
        assert torch.equal(image >= 0.5, expected != 0)
        shown = expected != 0
        shifted = expected[shown] - expected[shown].min() + 0.5
        torch.testing.assert_close(image[shown], shifted, rtol=0, atol=2e-4)
        torch.testing.assert_close(normalise(image, shown), expected, rtol=0, atol=2e-2)
    truth = read_labels(files.labels, TUMOUR.outputs.scheme).labels
    for region, labels in zip(case.regions > 0.5, ((3,), (1, 3), (1, 2, 3)), strict=True):
        assert int(region.sum()) == np.isin(truth, labels).sum() > 0
        assert not (region & ~case.mask).any()


def test_the_brain_is_extracted_where_more_is_shown(tmp_path: Path) -> None:
    """A block of noise that nothing is masked in: what the finder says is all that is shown."""
    rng = np.random.default_rng(0)
    found = np.zeros((60, 70, 64), dtype=bool)
    found[12:50, 14:62, 10:52] = True
    labels = np.zeros(found.shape, dtype=np.uint8)
    labels[20:30, 20:30, 20:30] = 3
    (tmp_path / "case").mkdir()
    for name, values in (
        ("t1c", rng.uniform(80, 120, found.shape).astype(np.float32)),
        ("seg", labels),
    ):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing((2.0, 2.0, 2.0))
        sitk.WriteImage(image, str(tmp_path / "case" / f"{name}.nii.gz"))
    (files,) = labelled_cases(tmp_path)
    case = OwnCase.of(prepare_case(files, find_brain=lambda _: found), 1.0, CPU)
    assert case.images.flatten(1).any(dim=1).tolist() == [False, True, False, False]
    litres = float(case.mask.sum()) / 1e6
    assert litres == pytest.approx(found.sum() * 8 / 1e6, rel=0.05)
    assert float(case.regions[0].sum()) == pytest.approx(8000, rel=0.2)


def test_label_4_is_enhancing_tumour(small_brains: Path, tmp_path: Path) -> None:
    case = copy_case(small_brains / "case-0", tmp_path / "data" / "case")
    rewrite_labels(case, {3: 4})
    (files,) = labelled_cases(tmp_path / "data")
    expected = prepare_case(labelled_cases(small_brains)[0]).regions
    np.testing.assert_array_equal(prepare_case(files).regions, expected)


def test_a_missing_modality_is_a_channel_of_zeros(small_brains: Path, tmp_path: Path) -> None:
    case = copy_case(small_brains / "case-0", tmp_path / "data" / "case")
    (case / "t2.nii.gz").unlink()
    (files,) = labelled_cases(tmp_path / "data")
    case = OwnCase.of(prepare_case(files), 1.0, CPU)
    assert case.images.flatten(1).any(dim=1).tolist() == [True, True, False, True]
    assert torch.isfinite(case.images).all()


def tiny(value: int) -> PreparedCase:
    """A case of a few voxels, told from others by how many of them are tumour."""
    levels = np.arange(4 * 64, dtype=np.uint16).reshape(4, 4, 4, 4)
    regions = np.zeros((3, 4, 4, 4), dtype=bool)
    regions.reshape(3, -1)[:, :value] = True
    return PreparedCase(levels, np.full(4, 0.5, dtype=np.float32), regions)


class Counting:
    """Prepares cases, and knows how often."""

    def __init__(self) -> None:
        self.prepared: list[str] = []

    def __call__(self, files: LabelledCase) -> PreparedCase:
        self.prepared.append(files.name)
        return tiny(int(files.name[-1]) + 1)


def tumour(case: OwnCase) -> int:
    return int(case.regions[0].sum())


@pytest.fixture
def files(tmp_path: Path) -> list[LabelledCase]:
    for index in range(3):
        folder = tmp_path / "data" / f"case-{index}"
        folder.mkdir(parents=True)
        (folder / "flair.nii").write_text(f"image {index}")
        (folder / "seg.nii").write_text(f"labels {index}")
    return labelled_cases(tmp_path / "data")


def test_every_case_is_drawn_and_the_same_number_draws_the_same(
    files: list[LabelledCase], tmp_path: Path
) -> None:
    source = OwnSource(files, PreparedCases(tmp_path / "kept", prepare=Counting()), CPU)
    drawn = [tumour(source.case(number)) for number in range(12)]
    assert set(drawn) == {1, 2, 3}
    assert tumour(source.case(7)) == drawn[7]


def test_a_case_is_prepared_once(files: list[LabelledCase], tmp_path: Path) -> None:
    made, told = Counting(), []
    cases = PreparedCases(tmp_path / "kept", prepare=made)
    size = cases.prepare_all(files, lambda done, count: told.append((done, count)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert size == sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) > 0
    assert sorted(made.prepared) == ["case-0", "case-1", "case-2"]
    again = PreparedCases(tmp_path / "kept", prepare=made)
    assert again.prepare_all(files, lambda *_: None) == size
    case = again.read(files[1], CPU)
    assert len(made.prepared) == 3
    expected = OwnCase.of(tiny(2), 1.0, CPU)
    assert torch.equal(case.images, expected.images)
    assert torch.equal(case.regions, expected.regions)


@pytest.mark.parametrize("name", ["flair.nii", "seg.nii"])
def test_a_case_of_changed_files_is_prepared_anew(
    files: list[LabelledCase], tmp_path: Path, name: str
) -> None:
    made = Counting()
    PreparedCases(tmp_path / "kept", prepare=made).read(files[0], CPU)
    (files[0].labels.parent / name).write_text("another")
    PreparedCases(tmp_path / "kept", prepare=made).read(files[0], CPU)
    assert made.prepared == ["case-0", "case-0"]


@pytest.mark.parametrize(
    "task",
    [
        BRAIN,
        Task(
            TUMOUR.name,
            TUMOUR.inputs.model_copy(update={"spacing_mm": (2.0, 2.0, 2.0)}),
            TUMOUR.outputs,
        ),
    ],
    ids=["brain", "2 mm"],
)
def test_a_case_for_another_network_is_prepared_anew(
    files: list[LabelledCase], tmp_path: Path, task: Task
) -> None:
    one, other = PreparedCases(tmp_path), PreparedCases(tmp_path, task)
    assert one.path(files[0]) != other.path(files[0])


def test_a_damaged_case_is_prepared_anew_with_a_warning(
    files: list[LabelledCase], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Counting()
    cases = PreparedCases(tmp_path / "kept", prepare=made)
    cases.read(files[0], CPU)
    content = bytearray(cases.path(files[0]).read_bytes())
    content[-5] ^= 1
    cases.path(files[0]).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert tumour(cases.read(files[0], CPU)) == 1
    assert "case-0 is prepared anew" in caplog.text
    assert "is damaged" in caplog.text
    assert made.prepared == ["case-0", "case-0"]
    cases.read(files[0], CPU)
    assert len(made.prepared) == 2


def test_what_cannot_be_prepared_ends_the_preparation(
    files: list[LabelledCase], tmp_path: Path
) -> None:
    def refuse(files: LabelledCase) -> PreparedCase:
        raise InputError("cannot be used", where=files.name)

    with pytest.raises(InputError, match="case-0: cannot be used"):
        PreparedCases(tmp_path / "kept", prepare=refuse).prepare_all(files, lambda *_: None)
