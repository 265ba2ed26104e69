"""What models say about labels: the shipped ones, one with other labels, and any at all."""

from __future__ import annotations

from BrainSegAccelLib.models.description import BACKGROUND_CHANNEL, Outputs
from BrainSegAccelLib.models.tasks import TUMOUR as TUMOUR_TASK
from BrainSegAccelLib.study.label_scheme import Code, Label, LabelScheme, Region
from hypothesis import strategies as st

TUMOUR = TUMOUR_TASK.outputs
"""Of the shipped tumour models: ET in TC in WT."""


def label(value: int, identifier: str, name: str, aliases: tuple[int, ...] = ()) -> Label:
    """Return a label with a colour of its own."""
    return Label(
        value=value,
        identifier=identifier,
        name=name,
        colour=(value * 37 % 256, value * 91 % 256, value * 151 % 256),
        code=Code(scheme="99TEST", value=f"T{value}", meaning=name),
        aliases=aliases,
    )


def scheme(labels: tuple[Label, ...], regions: tuple[Region, ...]) -> LabelScheme:
    """Return a scheme of these labels and regions."""
    return LabelScheme(
        name="a label scheme for tests",
        category=Code(scheme="99TEST", value="C", meaning="Category"),
        anatomic_region=Code(scheme="99TEST", value="A", meaning="Somewhere"),
        labels=labels,
        regions=regions,
    )


POSTOPERATIVE = Outputs(
    activation="sigmoid",
    channels=("rim", "core", "lesion", "cavity"),
    scheme=scheme(
        (
            label(1, "dead_core", "Dead core"),
            label(2, "swelling", "Swelling"),
            label(3, "bright_rim", "Bright rim", aliases=(6,)),
            label(4, "cavity", "Resection cavity"),
        ),
        (
            Region(identifier="lesion", name="everything but the cavity", labels=(1, 2, 3)),
            Region(identifier="core", name="solid part", labels=(1, 3), parent="lesion"),
            Region(identifier="rim", name="bright part", labels=(3,), parent="core"),
            Region(identifier="cavity", name="cavity of resection", labels=(4,)),
        ),
    ),
    thresholds={"cavity": 0.6},
    smallest_lesion_ml=0.1,
    peak_odds=2.0,
)
"""Four labels of other names; 4 is a cavity, not enhancing tumour, and lies in no other region."""


SOFTMAX = Outputs(
    activation="softmax",
    channels=(BACKGROUND_CHANNEL, "dead_core", "swelling", "bright_rim", "cavity"),
    scheme=POSTOPERATIVE.scheme,
)
"""The same labels from a network of one answer a voxel, in the order of their values."""


@st.composite
def nested_schemes(draw: st.DrawFn) -> LabelScheme:
    """Draw a scheme of up to six regions, each with a label of its own, some within others."""
    count = draw(st.integers(1, 6))
    values = draw(st.lists(st.integers(1, 255), min_size=count, max_size=count, unique=True))
    parents = [None, *(draw(st.none() | st.integers(0, i - 1)) for i in range(1, count))]

    def below(region: int) -> list[int]:
        children = [child for child, parent in enumerate(parents) if parent == region]
        return [region, *(inner for child in children for inner in below(child))]

    regions = tuple(
        Region(
            identifier=f"R{i}",
            name=f"region {i}",
            labels=tuple(values[x] for x in below(i)),
            parent=None if parents[i] is None else f"R{parents[i]}",
        )
        for i in range(count)
    )
    labels = tuple(label(value, f"label_{value}", f"Label {value}") for value in values)
    return scheme(labels, tuple(draw(st.permutations(regions))))


@st.composite
def sigmoid_outputs(draw: st.DrawFn, nested: bool = True) -> Outputs:
    """Draw what a model with a channel for each region of some scheme says."""
    drawn = draw(nested_schemes())
    channels = draw(st.permutations([region.identifier for region in drawn.regions]))
    return Outputs(activation="sigmoid", channels=tuple(channels), scheme=drawn, nested=nested)


@st.composite
def softmax_outputs(draw: st.DrawFn) -> Outputs:
    """Draw what a model with a channel for background and each label of some scheme says."""
    drawn = draw(nested_schemes())
    names = [BACKGROUND_CHANNEL, *(each.identifier for each in drawn.labels)]
    channels = draw(st.permutations(names))
    return Outputs(activation="softmax", channels=tuple(channels), scheme=drawn)
