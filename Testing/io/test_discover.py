"""Modalities found by file name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.io.discover import discover
from BrainSegAccelLib.io.sequence_names import modality_of
from BrainSegAccelLib.study.modality import Modality
from hypothesis import given
from hypothesis import strategies as st

T1, T1C, T2, FLAIR = Modality.T1, Modality.T1C, Modality.T2, Modality.FLAIR

CASES = {
    "BraTS 2018-2020": {
        "BraTS20_Training_001_t1.nii.gz": T1,
        "BraTS20_Training_001_t1ce.nii.gz": T1C,
        "BraTS20_Training_001_t2.nii.gz": T2,
        "BraTS20_Training_001_flair.nii.gz": FLAIR,
        "BraTS20_Training_001_seg.nii.gz": None,
    },
    "BraTS 2018, plain NIfTI": {
        "Brats18_2013_2_1_t1.nii": T1,
        "Brats18_2013_2_1_t1ce.nii": T1C,
        "Brats18_2013_2_1_t2.nii": T2,
        "Brats18_2013_2_1_flair.nii": FLAIR,
    },
    "BraTS 2021": {
        "BraTS2021_00000_t1.nii.gz": T1,
        "BraTS2021_00000_t1ce.nii.gz": T1C,
        "BraTS2021_00000_t2.nii.gz": T2,
        "BraTS2021_00000_flair.nii.gz": FLAIR,
        "BraTS2021_00000_seg.nii.gz": None,
    },
    "BraTS 2023": {
        "BraTS-GLI-00000-000-t1n.nii.gz": T1,
        "BraTS-GLI-00000-000-t1c.nii.gz": T1C,
        "BraTS-GLI-00000-000-t2w.nii.gz": T2,
        "BraTS-GLI-00000-000-t2f.nii.gz": FLAIR,
        "BraTS-GLI-00000-000-seg.nii.gz": None,
    },
    "BIDS": {
        "sub-01_T1w.nii.gz": T1,
        "sub-01_ce-GAD_T1w.nii.gz": T1C,
        "sub-01_T2w.nii.gz": T2,
        "sub-01_FLAIR.nii.gz": FLAIR,
        "sub-01_T1w.json": None,
        "sub-01_dseg.nii.gz": None,
        "sub-01_T2star.nii.gz": None,
    },
    "BIDS with session and run": {
        "sub-T2_ses-post_run-1_T1w.nii.gz": T1,
        "sub-T2_ses-post_ce-gadolinium_run-1_T1w.nii.gz": T1C,
    },
    "UCSF-PDGM": {
        "UCSF-PDGM-0004_T1.nii.gz": T1,
        "UCSF-PDGM-0004_T1c.nii.gz": T1C,
        "UCSF-PDGM-0004_T2.nii.gz": T2,
        "UCSF-PDGM-0004_FLAIR.nii.gz": FLAIR,
        "UCSF-PDGM-0004_ADC.nii.gz": None,
        "UCSF-PDGM-0004_SWI.nii.gz": None,
        "UCSF-PDGM-0004_tumor_segmentation.nii.gz": None,
    },
    "HD-GLIO": {"T1.nii.gz": T1, "CT1.nii.gz": T1C, "T2.nii.gz": T2, "FLAIR.nii.gz": FLAIR},
    "hospital, English": {
        "T1_pre.nrrd": T1,
        "T1 post.nrrd": T1C,
        "Ax T2 FSE.nrrd": T2,
        "AX_FLAIR.nrrd": FLAIR,
        "brain_mask.nrrd": None,
        "T1-label.nrrd": None,
        "T1.seg.nrrd": None,
    },
    "hospital, German": {
        "t1_mprage_nativ.nii.gz": T1,
        "t1_mprage_km.nii.gz": T1C,
        "t2_tse_tra.nii.gz": T2,
        "t2_tirm_tra_dark-fluid.nii.gz": FLAIR,
    },
    "hospital, sequence names": {
        "MPRAGE.nii.gz": T1,
        "MPRAGE post.nii.gz": T1C,
        "T2_SPACE.nii.gz": T2,
        "T2_FLAIR_3D.nii.gz": FLAIR,
    },
    "hospital, plus": {"T1.nii.gz": T1, "T1+C.nii.gz": T1C},
    "registered": {
        "t1c.nii.gz": T1C,
        "flair_to_t1c.nii.gz": FLAIR,
        "t2_reg_t1c.nii.gz": T2,
    },
}


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize("names", CASES.values(), ids=CASES.keys())
def test_cases_are_found(tmp_path: Path, names: dict[str, Modality | None]) -> None:
    expected = {modality: tmp_path / name for name, modality in names.items() if modality}
    assert discover(fill(tmp_path, *names)) == expected


@pytest.mark.parametrize("names", CASES.values(), ids=CASES.keys())
def test_upper_case_and_other_separators_change_nothing(
    names: dict[str, Modality | None],
) -> None:
    for name, modality in names.items():
        stem, _, suffix = name.partition(".")
        if suffix in ("nii", "nii.gz", "nrrd") and "sub-" not in name:
            for changed in (stem.upper(), stem.lower(), stem.replace("_", " "), f"x-{stem}.y"):
                assert modality_of(changed) is modality, changed


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("t1gd", T1C),
        ("t1km", T1C),
        ("T1Post", T1C),
        ("t1_contrast", T1C),
        ("T1_with_contrast", T1C),
        ("t1_without_contrast", T1),
        ("T1 non contrast", T1),
        ("T1 pre-contrast", T1),
        ("preop_T1_post", T1C),
        ("pre-op T1 post", T1C),
        ("T1_post_op", T1),
        ("postoperative_T1", T1),
        ("Patient_C_T1", T1),
        ("T1_C", T1C),
        ("t1w", T1),
        ("t1_tse_sag", T1),
        ("T1wCE", T1C),
        ("mpragekm", T1C),
        ("t2flair", FLAIR),
        ("tirm", FLAIR),
        ("T2*", None),
        ("t2_star", None),
        ("T1_FLAIR", None),
        ("t1_t2_ratio", None),
        ("dwi_b1000", None),
        ("t10", None),
        ("cat2", None),
        ("", None),
    ],
)
def test_names(name: str, modality: Modality | None) -> None:
    assert modality_of(name) is modality


def test_bids_subject_folder(tmp_path: Path) -> None:
    fill(tmp_path, "ses-1/anat/sub-1_ses-1_T1w.nii.gz", "ses-1/func/sub-1_task-t2_bold.nii.gz")
    assert discover(tmp_path) == {T1: tmp_path / "ses-1/anat/sub-1_ses-1_T1w.nii.gz"}
    fill(tmp_path, "anat/sub-1_FLAIR.nii.gz")
    assert discover(tmp_path)[FLAIR] == tmp_path / "anat/sub-1_FLAIR.nii.gz"


def test_two_sessions_are_two_files_for_one_modality(tmp_path: Path) -> None:
    fill(tmp_path, "ses-1/anat/sub-1_ses-1_T1w.nii.gz", "ses-2/anat/sub-1_ses-2_T1w.nii.gz")
    with pytest.raises(InputError, match="2 files could be T1"):
        discover(tmp_path)


def test_dicom_subfolders(tmp_path: Path) -> None:
    fill(tmp_path, "T1_pre/IM1", "T1_pre/IM2", "t1 post/1.dcm", "FLAIR/a", "SEG/1.dcm", "notes/x")
    (tmp_path / "T2").mkdir()  # nothing in it
    assert discover(tmp_path) == {
        T1: tmp_path / "T1_pre",
        T1C: tmp_path / "t1 post",
        FLAIR: tmp_path / "FLAIR",
    }


def test_image_in_a_subfolder_named_like_a_modality(tmp_path: Path) -> None:
    fill(tmp_path, "T1/image.nii.gz", "T1/image_mask.nii.gz", "T2/scan.nrrd")
    assert discover(tmp_path) == {
        T1: tmp_path / "T1/image.nii.gz",
        T2: tmp_path / "T2/scan.nrrd",
    }


def test_channel_order_and_hidden_files(tmp_path: Path) -> None:
    fill(tmp_path, "flair.nii", "t2.nii", "t1.nii", "t1c.nii", "._t1.nii", ".t2.nii")
    assert list(discover(tmp_path)) == list(Modality)


def test_two_files_for_one_modality_names_both_and_the_option(tmp_path: Path) -> None:
    fill(tmp_path, "a_t1ce.nii.gz", "a_t1gd.nii.gz", "a_t2.nii.gz")
    with pytest.raises(InputError) as error:
        discover(tmp_path)
    message = str(error.value)
    assert "a_t1ce.nii.gz, a_t1gd.nii.gz" in message
    assert "--t1c FILE" in message
    assert "\n" not in message


def test_a_given_modality_is_not_looked_for(tmp_path: Path) -> None:
    fill(tmp_path, "a_t1ce.nii.gz", "a_t1gd.nii.gz", "a_t2.nii.gz")
    assert discover(tmp_path, given={T1C}) == {T2: tmp_path / "a_t2.nii.gz"}
    assert discover(fill(tmp_path / "empty", "notes.txt"), given={T1}) == {}


def test_nothing_found_lists_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t1ce.*flair.*--t1, --t1c, --t2 and --flair"):
        discover(fill(tmp_path, "scan1.nii.gz", "seg.nii.gz", "t1.txt"))


@pytest.mark.parametrize("name", ["absent", "t1.nii.gz"])
def test_not_a_folder(tmp_path: Path, name: str) -> None:
    fill(tmp_path, "t1.nii.gz")
    with pytest.raises(InputError, match="no such folder"):
        discover(tmp_path / name)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    folder = fill(tmp_path / "case", "t1.nii")
    folder.chmod(0)
    try:
        with pytest.raises(InputError, match="cannot be listed"):
            discover(folder)
    finally:
        folder.chmod(0o700)


@given(st.text(max_size=60))
def test_no_name_is_too_strange(name: str) -> None:
    assert modality_of(name) in {None, *Modality}
    assert modality_of(name) is modality_of(f"__{name}--")


@given(
    st.sampled_from(["t1", "t1c", "t2", "flair"]), st.sampled_from("_-. "), st.integers(3, 10**6)
)
def test_any_case_number_and_separator(modality: str, separator: str, number: int) -> None:
    assert modality_of(f"case{number}{separator}{modality}") == modality
    assert modality_of(f"{modality.upper()}{separator}{number}") == modality
