"""Finds the four modalities of a case by the names of its files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path

from ..errors import InputError
from ..modality import Modality
from .formats import image_stem


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

_LOOKED_FOR = "names with t1, t1c (t1ce, t1gd, T1 post, ce-gadolinium_T1w), t2 or flair"


def discover(case_dir: Path, given: Collection[Modality] = ()) -> dict[Modality, Path]:
    """Find one image for each modality of a case, in channel order; modalities may be missing.

    Looks at images in the folder itself, in BIDS' ``anat`` below it or below its sessions, and at
    subfolders that are named like a modality: those hold one image or one DICOM series.

    :param given: modalities that need not be found because the user named their files.
    :raises InputError: not a folder; nothing found; two files for one modality.
    """
    if not case_dir.is_dir():
        raise InputError(
            "no such folder", where=str(case_dir), remedy="give the folder of one case"
        )
    found: dict[Modality, list[Path]] = {}
    try:
        for name, path in _candidates(case_dir):
            modality = modality_of(name)
            if modality is not None and modality not in given:
                found.setdefault(modality, []).append(path)
    except OSError as error:
        raise InputError(
            f"cannot be listed ({error.strerror or error})",
            where=str(case_dir),
            remedy="check the permissions of the folder",
        ) from error
    for modality, paths in found.items():
        if len(paths) > 1:
            names = ", ".join(sorted(path.relative_to(case_dir).as_posix() for path in paths))
            raise InputError(
                f"{len(paths)} files could be {modality.label} ({names})",
                where=str(case_dir),
                remedy=f"say which one with --{modality} FILE",
            )
    if not found and not given:
        raise InputError(
            f"no image is named like an MR sequence ({_LOOKED_FOR})",
            where=str(case_dir),
            remedy="name the files with --t1, --t1c, --t2 and --flair",
        )
    return {modality: found[modality][0] for modality in Modality if modality in found}


def modality_of(name: str) -> Modality | None:
    """Return the modality that a file or folder name (without image suffix) speaks of.

    :returns: None for anything else: masks, label maps, other sequences, unclear names.
    """
    words = _words(name)
    if _NOT_AN_INPUT & set(words):
        return None
    for position, word in enumerate(words):
        if word in _CONNECTORS and (modality := _classify(words[:position])):
            return modality
    return _classify(words)


def _words(name: str) -> list[str]:
    name = re.sub(r"(sub|ses|run|acq)-[^_]*_", "", name.lower())  # BIDS entities are not sequences
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
    if _NATIVE & set(words):
        return Modality.T1
    if Modality.T1C in kinds or _CONTRAST & set(words) or _followed_by_c(words):
        return Modality.T1C
    return Modality.T1


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


def _candidates(case_dir: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name to judge by, path to read) of everything that could be an input."""
    for folder in (case_dir, *case_dir.glob("anat"), *case_dir.glob("ses-*/anat")):
        for entry in sorted(folder.iterdir()):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from ((entry.name, path) for path in _inside(entry))
            elif (stem := image_stem(entry.name)) is not None:
                yield stem, entry


def _inside(folder: Path) -> list[Path]:
    """Return the image files of a folder, or the folder itself if its files may be DICOM."""
    files = [file for file in folder.iterdir() if file.is_file() and file.name[0] != "."]
    images = [file for file in files if (stem := image_stem(file.name)) and not _derived(stem)]
    return images or ([folder] if files else [])


def _derived(stem: str) -> bool:
    return bool(_NOT_AN_INPUT & set(_words(stem)))
