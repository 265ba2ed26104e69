"""Which files are images: by the end of their name, or for DICOM by their first bytes."""

from __future__ import annotations

from pathlib import Path

NIFTI_SUFFIXES = (".nii.gz", ".nii")
NRRD_SUFFIXES = (".nrrd", ".nhdr")
FORMATS = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr) or a folder with one DICOM series"


def image_stem(name: str) -> str | None:
    """Return a file's name without the suffix of an image format, None if it has none."""
    for suffix in (*NIFTI_SUFFIXES, *NRRD_SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return None


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM preamble (PS3.10)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
