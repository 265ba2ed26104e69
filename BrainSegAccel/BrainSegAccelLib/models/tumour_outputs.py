"""What the shipped tumour models say, until their cards hold it."""

from __future__ import annotations

from functools import cache

from ..study.label_scheme import Code, Label, LabelScheme, Region
from .description import Outputs

_LABELS = (
    Label(
        value=1,
        identifier="necrotic_core",
        name="Necrotic core",
        colour=(216, 191, 216),
        code=Code(scheme="SCT", value="6574001", meaning="Necrosis"),
    ),
    Label(
        value=2,
        identifier="oedema",
        name="Oedema",
        colour=(140, 224, 228),
        code=Code(scheme="SCT", value="79654002", meaning="Edema"),
    ),
    Label(
        value=3,
        identifier="enhancing_tumour",
        name="Enhancing tumour",
        colour=(255, 120, 90),
        code=Code(scheme="NCIt", value="C113842", meaning="Enhancing Lesion"),
        aliases=(4,),
    ),
)
_REGIONS = (
    Region(identifier="ET", name="enhancing tumour", labels=(3,), parent="TC"),
    Region(identifier="TC", name="tumour core", labels=(1, 3), parent="WT"),
    Region(identifier="WT", name="whole tumour", labels=(1, 2, 3)),
)


@cache
def tumour_outputs() -> Outputs:
    """Return the outputs of the shipped tumour models."""
    return Outputs(
        activation="sigmoid",
        channels=("ET", "TC", "WT"),
        scheme=LabelScheme(
            name="BrainSegAccel - brain tumour",
            category=Code(
                scheme="SCT", value="49755003", meaning="Morphologically Altered Structure"
            ),
            anatomic_region=Code(scheme="SCT", value="12738006", meaning="Brain"),
            labels=_LABELS,
            regions=_REGIONS,
        ),
        smallest_lesion_ml=0.05,
        peak_odds=20.0,
    )
