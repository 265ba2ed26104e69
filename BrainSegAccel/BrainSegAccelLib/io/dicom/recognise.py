"""Which of the four sequences a series is: by its names, and by its times where they are silent.

Echo, repetition and inversion times are those of clinical brain imaging at 1.5 and 3 T; the
thresholds lie in the wide gaps between the sequences (docs/clinical.md has them as a table).
"""

from __future__ import annotations

import re

from ...study.modality import Modality
from ..sequence_names import modality_of, names_other, says_contrast, words_of
from .grouping import Group
from .header import Acquisition

_OTHER_WORDS = frozenset(
    (
        *("localizer", "localiser", "loc", "scout", "survey", "aahead", "smartbrain", "plane"),
        *("calibration", "cal", "asset", "mip", "minip", "subtraction", "sub", "phase", "map"),
        *("t1map", "t2map", "tof", "mra", "mrv", "angio", "venogram", "pc", "pca", "svs", "csi"),
        *("spectroscopy", "stir", "ciss", "fiesta", "hemo", "mpgr"),
        *("perfusion", "perf", "diffusion", "diff", "tensor"),
    )
)
"""In the names of a series: what is none of the four sequences, beside what no file name is."""

_OTHER_TYPES = frozenset(
    (
        *("LOCALIZER", "SCREEN SAVE", "SPECTROSCOPY", "ANGIO", "VELOCITY"),
        *("ADC", "TRACE", "TRACEW", "FA", "DIFFUSION", "DIFFUSION_ANISO"),
        *("PERFUSION", "RCBV", "RCBF", "TTP", "MTT", "MAP", "T1 MAP", "T2 MAP", "T2_STAR MAP"),
        *("T1_MAP", "T2_MAP", "FIELD_MAP", "PHASE MAP", "PHASE", "P", "REAL", "R"),
        *("IMAGINARY", "I", "SUBTRACT", "SUBTRACTION"),
        *("PROJECTION IMAGE", "MIP", "MINIP", "MNIP", "MIN IP"),
    )
)
"""In ImageType: maps, projections, differences and everything that is not a magnitude."""

_REFORMATTED = frozenset({"MPR", "REFORMATTED", "MPR_THICK", "RESAMPLED"})

_FEWEST_SLICES = 5


def modality_of_series(group: Group) -> Modality | None:
    """Return the sequence of a series, None if it is none of the four.

    Description, protocol name and folder are asked in this order, then the vendor's sequence name
    and the times. A T1 is a T1c if one of its names says so, else if the header names a contrast
    agent and no name says the opposite.
    """
    acquisition = group.acquisition
    if group.watches_time or len(group.slices) < _FEWEST_SLICES or _is_other(acquisition):
        return None
    names = [_spelt_out(text) for text in (*acquisition.texts, group.folder.name)]
    named = next((found for name in names if (found := modality_of(name))), None)
    found = named or by_times(acquisition)
    if found is Modality.T2 and acquisition.gradient_echo:
        return None  # T2*
    if found in (Modality.T1, Modality.T1C):
        return Modality.T1C if _with_contrast(names, acquisition) else Modality.T1
    return found


def contradiction(group: Group, modality: Modality) -> str | None:
    """Return what to say where the times of a series are those of another sequence."""
    timed = by_times(group.acquisition)
    t1 = (Modality.T1, Modality.T1C)
    if timed is None or timed is modality or (timed in t1 and modality in t1):
        return None
    return f"named like {modality.label}, but its echo and inversion times are {timed.label}'s"


def is_reformatted(acquisition: Acquisition) -> bool:
    """Whether the images were computed from others, e.g. reformatted into another plane."""
    kinds = set(acquisition.image_type)
    return "DERIVED" in kinds or bool(kinds & _REFORMATTED)


def by_times(acquisition: Acquisition) -> Modality | None:
    """Return the sequence that name and times of a pulse sequence tell; T1 stands for T1c, too."""
    echo, repetition = acquisition.echo_time, acquisition.repetition_time
    inversion = acquisition.inversion_time or 0.0
    if "tfl3d" in acquisition.sequence_name.lower():  # Siemens' MPRAGE
        return Modality.T1
    if echo is None or repetition is None or acquisition.echo_planar:
        return None
    if echo >= 60 and inversion >= 1500:
        return Modality.FLAIR
    if echo >= 60 and repetition >= 1500 and inversion < 100 and not acquisition.gradient_echo:
        return Modality.T2
    if acquisition.gradient_echo:
        return Modality.T1 if echo < 10 else None
    if echo <= 30 and (repetition <= 1000 or 300 <= inversion <= 1400):
        return Modality.T1
    return None


def _is_other(acquisition: Acquisition) -> bool:
    if acquisition.echo_planar or _OTHER_TYPES & set(acquisition.image_type[2:]):
        return True
    # Proton density and T2 are often two echoes of one series: its times tell which is which.
    names = [re.sub(r"(?i)(?<![a-z])pdw?(?![a-z])", " ", text) for text in acquisition.texts]
    if names != list(acquisition.texts) and by_times(acquisition) is None:
        return True
    return any(names_other(name) or _OTHER_WORDS & set(words_of(name)) for name in names)


def _with_contrast(names: list[str], acquisition: Acquisition) -> bool:
    said = [answer for name in names if (answer := says_contrast(name)) is not None]
    return said[0] if said else acquisition.contrast_agent


def _spelt_out(text: str) -> str:
    """Take Philips' prefix off, as in sT1W_3D_TFE, and proton density out of a dual echo's name."""
    text = re.sub(r"(?i)(?<![a-z0-9])(?:wip[ _]*)?[sdve]*(t[12]w)", r"\1", text)
    return re.sub(r"(?i)(?<![a-z])pdw?(?![a-z])", " ", text)
