"""Which MR sequence a name speaks of: of a file, of a folder, or of a DICOM series."""

from __future__ import annotations

import re
from itertools import pairwise

from ..study.modality import Modality


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# A name is cut into lower-case words; every word below is compared with whole words only.
_CONTRAST = _set(
    "ce gd gad gadolinium gado post postcontrast postgd postgad contrast km kontrast plus enhanced"
    " nachkm mitkm kmplus"
)
_NATIVE = _set(
    "n native nativ pre precontrast noncontrast nocontrast without non no ohne nongd unenhanced"
    " pregd nogd"
)
_T1_SEQUENCES = ("mp2rage", "mprage", "mpr", "bravo")
_FLAIR_SEQUENCES = ("flair", "tirm", "darkfluid")
_SEQUENCE_WORDS = _set(
    "w 3d 2d se tse fse ffe tfe spgr fspgr vibe flash space cube gre ax tra cor sag fs iso"
).union(_T1_SEQUENCES)
# Derived images, and sequences that are none of the four.
_NOT_AN_INPUT = _set(
    "seg segm segmentation dseg probseg label labels labelmap mask brainmask roi gt truth lesion"
    " prediction pred star t2star swi dwi adc dti trace fa md asl perf pwi dsc dce bold fmri"
    " fieldmap pd rcbv rcbf"
)
# "t2 registered to t1" is a T2: what follows these words names the target.
_CONNECTORS = _set("to onto in 2 reg registered coreg")


def modality_of(name: str) -> Modality | None:
    """Return the modality that a file or folder name (without image suffix) speaks of.

    :returns: None for anything else: masks, label maps, other sequences, unclear names.
    """
    words = words_of(name)
    if names_other(name):
        return None
    for position, word in enumerate(words):
        if word in _CONNECTORS and (modality := _classify(words[:position])):
            return modality
    return _classify(words)


def names_other(name: str) -> bool:
    """Whether a name speaks of a derived image, or of a sequence that is none of the four."""
    return bool(_NOT_AN_INPUT & set(words_of(name)))


def says_contrast(name: str) -> bool | None:
    """Whether a name speaks of a contrast agent; None if it says nothing of it.

    "without contrast" says no: words for none go before words for one.
    """
    words = words_of(name)
    if _NATIVE & set(words):
        return False
    named = Modality.T1C in {_weighting(word) for word in words}
    return True if named or _CONTRAST & set(words) or _followed_by_c(words) else None


def words_of(name: str) -> list[str]:
    """Cut a name into lower-case words; what BIDS calls entities is left out."""
    name = re.sub(r"(sub|ses|run|acq)-[^_]*_", "", name.lower())
    name = name.replace("t2*", " t2star ").replace("+", " plus ")
    name = re.sub(r"(pre|post)[-_ ]?op(erative|erativ)?(?![a-z])", " ", name)
    return re.findall(r"[a-z0-9]+", name)


def _classify(words: list[str]) -> Modality | None:
    weights = [weight for word in words if (weight := _weighting(word))]
    kinds = set(weights)
    if Modality.FLAIR in kinds:  # "t2_flair" is FLAIR; "t1_flair" could be either
        return None if kinds & {Modality.T1, Modality.T1C} else Modality.FLAIR
    if Modality.T2 in kinds:
        return Modality.T2 if kinds == {Modality.T2} else None
    if not kinds:
        return None
    return Modality.T1C if says_contrast(" ".join(words)) else Modality.T1


def _followed_by_c(words: list[str]) -> bool:
    """Whether a T1 word is followed by a lone "c", as in "T1 C"; elsewhere "c" is an initial."""
    pairs = pairwise(words)
    return any(_weighting(word) is Modality.T1 and after == "c" for word, after in pairs)


def _weighting(word: str) -> Modality | None:
    """Return what one word says on its own, e.g. "t1gd", "t2w", "mpragekm"."""
    if word == "ct1":
        return Modality.T1C
    if (match := re.fullmatch(r"(t1|t2)w?(.*)", word)) is None:
        if any(sequence in word for sequence in _FLAIR_SEQUENCES):
            return Modality.FLAIR
        for sequence in _T1_SEQUENCES:
            if word.startswith(sequence):
                return _t1_with(word.removeprefix(sequence))
        return None
    weight, rest = match.groups()
    if weight == "t1":
        return _t1_with(rest)
    if rest in ("f", "wf") or any(sequence in rest for sequence in _FLAIR_SEQUENCES):
        return Modality.FLAIR
    return Modality.T2 if rest == "" or rest in _SEQUENCE_WORDS else None


def _t1_with(rest: str) -> Modality | None:
    """Return what a T1 word means by its ending, None if the ending is unknown."""
    for sequence in sorted(_SEQUENCE_WORDS, key=len, reverse=True):
        if rest.startswith(sequence):
            rest = rest.removeprefix(sequence)
            break
    if rest == "" or rest in _NATIVE:
        return Modality.T1
    if rest == "c" or rest in _CONTRAST:
        return Modality.T1C
    return None
