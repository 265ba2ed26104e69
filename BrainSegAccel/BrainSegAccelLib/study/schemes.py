"""The label schemes of the networks that this project trains."""

from __future__ import annotations

from .label_scheme import Code, Label, LabelScheme, Region
from .modality import Modality

_BRAIN = Code(scheme="SCT", value="12738006", meaning="Brain")

TUMOUR_LABELS = LabelScheme(
    name="BrainSegAccel - brain tumour",
    category=Code(scheme="SCT", value="49755003", meaning="Morphologically Altered Structure"),
    anatomic_region=_BRAIN,
    labels=(
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
            told_by=(Modality.T2, Modality.FLAIR),
            caution="Without T2 and FLAIR, most of the oedema, and often the tumour, is missed.",
        ),
        Label(
            value=3,
            identifier="enhancing_tumour",
            name="Enhancing tumour",
            colour=(255, 120, 90),
            code=Code(scheme="NCIt", value="C113842", meaning="Enhancing Lesion"),
            # As BraTS had it up to 2021.
            aliases=(4,),
            told_by=(Modality.T1C,),
            caution="Without T1c, enhancing tumour cannot be told from the rest: "
            "that it is missing here is no finding.",
        ),
    ),
    regions=(
        Region(identifier="ET", name="enhancing tumour", labels=(3,), parent="TC"),
        Region(identifier="TC", name="tumour core", labels=(1, 3), parent="WT"),
        Region(identifier="WT", name="whole tumour", labels=(1, 2, 3)),
    ),
)
"""Enhancing tumour within tumour core within whole tumour, as BraTS scores them."""

BRAIN_LABELS = LabelScheme(
    name="BrainSegAccel - brain",
    category=Code(scheme="SCT", value="123037004", meaning="Anatomical Structure"),
    anatomic_region=_BRAIN,
    labels=(Label(value=1, identifier="brain", name="Brain", colour=(250, 250, 225), code=_BRAIN),),
    regions=(Region(identifier="BRAIN", name="brain", labels=(1,)),),
)
