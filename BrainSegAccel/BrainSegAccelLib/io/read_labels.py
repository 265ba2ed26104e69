"""Label maps in: NIfTI, NRRD and Slicer's .seg.nrrd, with labels as this library numbers them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..study.regions import SEGMENTS, Label
from ..study.segmentation import Segmentation
from . import itk
from .read import read_volume

_MAX_LABEL = 4
_BRATS_2021_ENHANCING = 4


def read_labels(path: Path) -> Segmentation:
    """Read a label map of necrotic core, oedema and enhancing tumour.

    Values are 0 to 3 as in `Label`; 4 is enhancing tumour (BraTS up to 2021) and becomes 3. A
    ``.seg.nrrd`` may number its segments as it likes: they are recognised by identifier, name or
    terminology code.

    :returns: labels uint8 (k, j, i) on their grid in LPS mm.
    :raises InputError: as `read_volume`; values that are not whole numbers from 0 to 4; segments
        that overlap or are not recognised.
    """
    given = _segment_labels(path) if path.name.lower().endswith(".seg.nrrd") else None
    volume = read_volume(path)
    values = np.unique(volume.array)
    labels = _brats_labels(path, values) if given is None else given
    unknown = [f"{value:g}" for value in values if value != 0 and value not in labels]
    if unknown:
        raise InputError(
            f"label {', '.join(unknown[:5])} belongs to no segment",
            where=str(path),
            remedy="export the segmentation again",
        )
    mapped = np.zeros(volume.array.shape, dtype=np.uint8)
    for value, label in labels.items():
        mapped[volume.array == value] = label
    return Segmentation(mapped, volume.grid)


def _brats_labels(path: Path, values: np.ndarray) -> dict[int, Label]:
    wrong = [v for v in values if not (0 <= v <= _MAX_LABEL and v == np.floor(v))]
    if wrong:
        shown = ", ".join(f"{value:g}" for value in wrong[:5])
        raise InputError(
            f"not a label map: value {shown} is not a whole number from 0 to {_MAX_LABEL}",
            where=str(path),
            remedy="give a segmentation with labels 1 necrotic core, 2 oedema, 3 or 4 enhancing",
        )
    return {segment.label: segment.label for segment in SEGMENTS} | {
        _BRATS_2021_ENHANCING: Label.ENHANCING_TUMOUR
    }


def _segment_labels(path: Path) -> dict[int, Label] | None:
    """Return value → label from a segmentation file's metadata, None if it names no segment."""
    reader = itk.file_reader(path, "NrrdImageIO")
    with itk.errors_as_input(path, "NRRD"):
        reader.ReadImageInformation()
    metadata = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    found: dict[int, Label] = {}
    index = 0
    while f"Segment{index}_ID" in metadata:
        segment = {
            key: metadata.get(f"Segment{index}_{key}", "")
            for key in ("ID", "Name", "LabelValue", "Layer", "Tags")
        }
        if segment["Layer"] not in ("", "0"):
            raise InputError(
                "segments overlap, so the file has several layers",
                where=str(path),
                remedy="export the segments to one label map",
            )
        found[int(segment["LabelValue"] or index + 1)] = _recognise(segment, path)
        index += 1
    return found or None


def _recognise(segment: Mapping[str, str], path: Path) -> Label:
    for known in SEGMENTS:
        code = f"~{known.property_type.scheme}^{known.property_type.value}^"
        if (
            known.identifier == segment["ID"]
            or known.name.casefold() == segment["Name"].casefold()
            or code in segment["Tags"]
        ):
            return known.label
    raise InputError(
        f"segment {segment['Name'] or segment['ID']!r} is none that is evaluated",
        where=str(path),
        remedy=f"name the segments {', '.join(known.name for known in SEGMENTS)}",
    )
