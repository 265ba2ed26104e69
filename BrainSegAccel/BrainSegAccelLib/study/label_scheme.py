"""What the values of a label map mean: names, colours, codes, and the regions they make up.

A label scheme is data and part of a model card: whatever draws, counts, names or writes labels
reads it from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .modality import Modality

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    told_by: tuple[Modality, ...] = Field(
        default=(),
        description="modalities of which one must be given to tell it; none: any will do",
    )
    caution: str = Field(
        default="",
        max_length=300,
        pattern=r"^[^\r\n\t]*$",
        description="what a reader of a result must know where none of ``told_by`` was given",
    )


class Region(_Value):
    """Labels taken together, as they are scored and thresholded."""

    identifier: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$", description="e.g. ET")
    name: _Name = Field(description="as people write it, e.g. enhancing tumour")
    labels: tuple[_LabelValue, ...] = Field(min_length=1)
    parent: str | None = Field(default=None, description="the region that it lies within")


class LabelScheme(_Value):
    """All labels and regions of a label map.

    :raises pydantic.ValidationError: values, identifiers, names or aliases that stand twice; a
        region of labels that are none, that does not lie within its parent, or that is called like
        a label that it is not; a label without a region.
    """

    name: _Name = Field(description="of the scheme and of its terminology context")
    category: Code = Field(description="of every label, as Slicer's terminology asks for one")
    anatomic_region: Code
    labels: tuple[Label, ...] = Field(min_length=1)
    regions: tuple[Region, ...] = Field(min_length=1, description="in the order tables show them")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        values = [v for label in self.labels for v in (label.value, *label.aliases)]
        unique: tuple[tuple[str, Sequence[object]], ...] = (
            ("label values", values),
            ("label identifiers", [label.identifier for label in self.labels]),
            ("label names", [label.name.casefold() for label in self.labels]),
            ("region identifiers", [region.identifier for region in self.regions]),
            ("region names", [region.name.casefold() for region in self.regions]),
            *((f"labels of region {region.identifier}", region.labels) for region in self.regions),
        )
        for what, given in unique:
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
        named = {label.identifier: (label.value,) for label in self.labels}
        for region in self.regions:
            if region.labels != named.get(region.identifier, region.labels):
                raise ValueError(f"{region.identifier} is a label and a region of other labels")
        if alone := known - {value for region in self.regions for value in region.labels}:
            raise ValueError(f"labels of no region: {sorted(alone)}")
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

    def outermost(self) -> tuple[Region, ...]:
        """Return the regions that lie within no other: all that can be tumour."""
        return tuple(region for region in self.regions if region.parent is None)

    @property
    def whole(self) -> Region:
        """The region that stands for all of a tumour where one figure must do."""
        return self.outermost()[0]

    def told_by(self, region: Region) -> tuple[Modality, ...]:
        """Return the modalities of which one must be given to tell a region; none: any will do.

        A region of several labels is told by any of them.
        """
        return self.label(region.labels[0]).told_by if len(region.labels) == 1 else ()

    def outermost_first(self) -> tuple[Region, ...]:
        """Return the regions so that each comes after the one that it lies within."""
        ordered = list(self.outermost())
        for region in ordered:
            ordered += [each for each in self.regions if each.parent == region.identifier]
        return tuple(ordered)

    def painted(self) -> tuple[tuple[Region, int], ...]:
        """Return the regions in the order in which they are painted over one another.

        Each comes after the one that it lies within, else they keep their order, and each is
        painted with the one label of its own that no region after it has.

        :raises ValueError: a region has no such label, or several.
        """
        ordered, painted = self.outermost_first(), []
        for index, region in enumerate(ordered):
            later = {value for other in ordered[index + 1 :] for value in other.labels}
            own = [value for value in region.labels if value not in later]
            if len(own) != 1:
                raise ValueError(
                    f"region {region.identifier} must have one label of its own, not {own}"
                )
            painted.append((region, own[0]))
        return tuple(painted)

    def mask(self, labels: NDArray[np.uint8], region: Region) -> NDArray[np.bool_]:
        """Return where a label map of this scheme shows a region; aliases are none of it.

        :param labels: uint8, any shape.
        """
        import numpy as np

        chosen = np.zeros(256, dtype=bool)
        chosen[list(region.labels)] = True
        return chosen[labels]
