"""What is read, what is refused, and how several files become one study."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.geometry.volume import Volume
from BrainSegAccelLib.io.hashing import sha256_of, sha256_of_series
from BrainSegAccelLib.io.read import read_study, read_volume
from BrainSegAccelLib.study.modality import Modality


def save(path: Path, volume: Volume) -> Path:
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.grid.spacing)
    image.SetOrigin(volume.grid.origin.tolist())
    image.SetDirection(volume.grid.direction.ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def paths(tmp_path: Path, four_modalities: dict[Modality, Volume]) -> dict[Modality, Path]:
    names = dict(zip(Modality, ("a.nii.gz", "b.nii", "c.nrrd", "d.nhdr"), strict=True))
    return {m: save(tmp_path / names[m], four_modalities[m]) for m in Modality}


def test_study_of_every_format(
    paths: dict[Modality, Path], four_modalities: dict[Modality, Volume]
) -> None:
    study = read_study(paths)
    assert list(study) == list(Modality)
    for modality, volume in study.items():
        np.testing.assert_array_equal(volume.array, four_modalities[modality].array)
        assert volume.grid.same_as(four_modalities[modality].grid)
        assert volume.name == paths[modality].name


def test_one_bad_file_refuses_the_study(paths: dict[Modality, Path]) -> None:
    paths[Modality.T2].write_bytes(b"")
    with pytest.raises(InputError, match=r"c\.nrrd: empty file"):
        read_study(paths)


def test_one_file_for_two_modalities(paths: dict[Modality, Path], tmp_path: Path) -> None:
    link = tmp_path / "link.nii.gz"
    link.symlink_to(paths[Modality.T1])
    for other in (paths[Modality.T1], link):
        with pytest.raises(InputError, match="given both as T1 and as T2"):
            read_study({Modality.T1: paths[Modality.T1], Modality.T2: other})


def test_no_file_at_all() -> None:
    with pytest.raises(InputError, match="no input volume"):
        read_study({})


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("absent.nii.gz", None, "no such file"),
        ("a.nii.gz", b"", "empty file"),
        ("a.nrrd", b"", "empty file"),
        ("a.nii", b"hello", "not a NIfTI image"),
        ("a.nii.gz", b"hello" * 200, "not a NIfTI image"),
        ("a.nrrd", b"hello", "not an NRRD image"),
        ("a.png", b"\x89PNG\r\n", r"not an image file that is read; give NIfTI.*NRRD.*DICOM"),
        ("a.txt", b"hello", "not an image file that is read"),
    ],
)
def test_unusable_files(tmp_path: Path, name: str, content: bytes | None, what: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=what) as error:
        read_volume(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file(paths: dict[Modality, Path]) -> None:
    paths[Modality.T1].chmod(0)
    with pytest.raises(InputError, match="cannot be read \\(Permission denied\\)"):
        read_volume(paths[Modality.T1])


def test_link_in_a_circle(tmp_path: Path) -> None:
    path = tmp_path / "a.nii"
    path.symlink_to(path)
    with pytest.raises(InputError, match="no such file"):
        read_study({Modality.T1: path})


def test_digest_of_a_file_and_of_a_series(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"one").hexdigest()
    whole = sha256_of_series([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a").rename(tmp_path / "z")
    assert sha256_of_series([tmp_path / "b", tmp_path / "z"]) == whole
    (tmp_path / "z").write_bytes(b"One")
    assert sha256_of_series([tmp_path / "b", tmp_path / "z"]) != whole
