"""What the values of a label map mean: names, colours, codes, and the regions they make up.

A label scheme is data and part of a model card: whatever draws, counts, names or writes labels
reads it from there.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

BACKGROUND = 0
"""Value of what belongs to no label, in every scheme."""

_Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^~^|;\r\n\t]+$")]
_LabelValue = Annotated[int, Field(ge=1, le=255)]
_Channel8 = Annotated[int, Field(ge=0, le=255)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Code(_Value):
    """A coded concept: value in a coding scheme (SNOMED CT ``SCT``, NCI Thesaurus ``NCIt``)."""

    scheme: str = Field(pattern=r"^[A-Za-z0-9_-]{1,16}$")
    value: str = Field(pattern=r"^[A-Za-z0-9.-]{1,64}$")
    meaning: _Name


class Label(_Value):
    """One value of a label map."""

    value: _LabelValue
    identifier: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="e.g. necrotic_core")
    name: _Name = Field(description="as people read it, e.g. Necrotic core")
    colour: tuple[_Channel8, _Channel8, _Channel8] = Field(description="red, green, blue")
    code: Code = Field(description="what it is, as DICOM and Slicer say it")
    aliases: tuple[_LabelValue, ...] = Field(
        default=(), description="values that mean the same in others' label maps"
    )


class Region(_Value):
    """Labels taken together, as they are scored and thresholded."""

    identifier: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$", description="e.g. ET")
    name: _Name = Field(description="as people write it, e.g. enhancing tumour")
    labels: tuple[_LabelValue, ...] = Field(min_length=1)
    parent: str | None = Field(default=None, description="the region that it lies within")


class LabelScheme(_Value):
    """All labels and regions of a label map.

    :raises pydantic.ValidationError: values, identifiers or aliases that stand twice; a region of
        labels that are none, or that does not lie within its parent; parents in a circle.
    """

    name: _Name = Field(description="of the scheme and of its terminology context")
    category: Code = Field(description="of every label, as Slicer's terminology asks for one")
    anatomic_region: Code
    labels: tuple[Label, ...] = Field(min_length=1)
    regions: tuple[Region, ...] = Field(min_length=1, description="in the order tables show them")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        values = [v for label in self.labels for v in (label.value, *label.aliases)]
        for what, given in (
            ("label values", values),
            ("label identifiers", [label.identifier for label in self.labels]),
            ("label names", [label.name.casefold() for label in self.labels]),
            ("region identifiers", [region.identifier for region in self.regions]),
        ):
            if len(set(given)) != len(given):
                raise ValueError(f"{what} must differ from one another: {given}")
        known = {label.value for label in self.labels}
        by_name = {region.identifier: region for region in self.regions}
        for region in self.regions:
            if not set(region.labels) <= known:
                raise ValueError(f"region {region.identifier}: labels {region.labels} of {known}")
            if region.parent is None:
                continue
            parent = by_name.get(region.parent)
            if parent is None or not set(region.labels) < set(parent.labels):
                raise ValueError(f"region {region.identifier} does not lie within {region.parent}")
        return self

    def region(self, identifier: str) -> Region:
        """Return a region by its identifier.

        :raises KeyError: there is none.
        """
        for region in self.regions:
            if region.identifier == identifier:
                return region
        raise KeyError(identifier)

    def label(self, value: int) -> Label:
        """Return a label by its value, or by one that means the same.

        :raises KeyError: there is none.
        """
        for label in self.labels:
            if value == label.value or value in label.aliases:
                return label
        raise KeyError(value)

    def children(self, region: Region) -> tuple[Region, ...]:
        """Return the regions directly within a region."""
        return tuple(each for each in self.regions if each.parent == region.identifier)

    def own_labels(self, region: Region) -> tuple[int, ...]:
        """Return the labels of a region that belong to none of the regions within it."""
        inner = {value for child in self.children(region) for value in child.labels}
        return tuple(value for value in region.labels if value not in inner)

    def outermost_first(self) -> tuple[Region, ...]:
        """Return the regions so that each comes after the one that it lies within."""
        ordered = [region for region in self.regions if region.parent is None]
        for region in ordered:
            ordered += self.children(region)
        return tuple(ordered)

    def mask(self, labels: NDArray[np.uint8], region: Region) -> NDArray[np.bool_]:
        """Return where a label map of this scheme shows a region; aliases are none of it.

        :param labels: uint8, any shape.
        """
        chosen = np.zeros(256, dtype=bool)
        chosen[list(region.labels)] = True
        return chosen[labels]
