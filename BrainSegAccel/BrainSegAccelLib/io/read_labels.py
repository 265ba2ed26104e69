"""Label maps in: NIfTI, NRRD and Slicer's .seg.nrrd, read by a label scheme."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..study.label_scheme import BACKGROUND, Label, LabelScheme
from ..study.segmentation import Segmentation
from . import itk
from .read import read_volume


def read_labels(path: Path, scheme: LabelScheme) -> Segmentation:
    """Read a label map, and give each label the scheme's own value.

    Values are those of the scheme or their aliases. A ``.seg.nrrd`` may number its segments as it
    likes: they are recognised by identifier, name or terminology code.

    :returns: labels uint8 (k, j, i) on their grid in LPS mm.
    :raises InputError: as `read_volume`; values that the scheme does not know; a value beside an
        alias of the same label; segments that overlap or are not recognised.
    """
    named = path.name.lower().endswith(".seg.nrrd")
    given = _segment_labels(path, scheme) if named else None
    volume = read_volume(path)
    values = np.unique(volume.array)
    labels = _labels_by_value(path, values, scheme) if given is None else given
    unknown = [f"{value:g}" for value in values if value != BACKGROUND and value not in labels]
    if unknown:
        raise InputError(
            f"label {', '.join(unknown[:5])} belongs to no segment",
            where=str(path),
            remedy="export the segmentation again",
        )
    mapped = np.zeros(volume.array.shape, dtype=np.uint8)
    for value, label in labels.items():
        mapped[volume.array == value] = label.value
    return Segmentation(mapped, volume.grid, scheme)


def _labels_by_value(
    path: Path, values: NDArray[np.float32], scheme: LabelScheme
) -> dict[int, Label]:
    known = {value: label for label in scheme.labels for value in (label.value, *label.aliases)}
    wrong = [value for value in values if value != BACKGROUND and value not in known]
    if wrong:
        shown = ", ".join(f"{value:g}" for value in wrong[:5])
        raise InputError(
            f"value {shown} is no label of {scheme.name!r}",
            where=str(path),
            remedy=f"give a label map of {_described(scheme)}",
        )
    for label in scheme.labels:
        shown_as = [f"{value:g}" for value in values if known.get(int(value)) is label]
        if len(shown_as) > 1:
            raise InputError(
                f"values {' and '.join(shown_as)} would both be {label.name!r}",
                where=str(path),
                remedy="give labels of one convention, or a .seg.nrrd that names its segments",
            )
    return known


def _described(scheme: LabelScheme) -> str:
    """Return every label's values and name."""
    return ", ".join(
        f"{' or '.join(str(value) for value in (label.value, *label.aliases))} {label.name.lower()}"
        for label in scheme.labels
    )


def _segment_labels(path: Path, scheme: LabelScheme) -> dict[int, Label] | None:
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
        value = int(segment["LabelValue"] or index + 1)
        found[value] = _recognise(segment, value, path, scheme)
        index += 1
    return found or None


def _recognise(segment: Mapping[str, str], value: int, path: Path, scheme: LabelScheme) -> Label:
    for known in scheme.labels:
        code = f"~{known.code.scheme}^{known.code.value}^"
        if (
            known.identifier == segment["ID"]
            or known.name.casefold() == segment["Name"].casefold()
            or code in segment["Tags"]
        ):
            return known
    raise InputError(
        f"segment {segment['Name'] or segment['ID']!r} of value {value} is no label of "
        f"{scheme.name!r}",
        where=str(path),
        remedy=f"name the segments {', '.join(known.name for known in scheme.labels)}",
    )
