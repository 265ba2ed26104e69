"""What a person was told in words while something ran, for the record of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cautions import cautions

if TYPE_CHECKING:
    from ..study.label_scheme import LabelScheme
    from .given import Given

_LIBRARY = str(Path(__file__).resolve().parents[1])
_FOLDERS = re.compile(r"""(?<![\w/\\])(?:[A-Za-z]:)?[\\/](?:[^\\/:;'"]+[\\/])+""")
"""The folders of an absolute path."""


@contextmanager
def noted() -> Iterator[list[str]]:
    """Yield a list that receives this library's warnings, each once; they are shown as before."""
    told: list[str] = []
    show = warnings.showwarning

    def note(
        message: Warning | str, category: type[Warning], filename: str, *rest: Any, **named: Any
    ) -> None:
        ours = category is UserWarning and filename.startswith(_LIBRARY)
        if ours and str(message) not in told:
            told.append(str(message))
        show(message, category, filename, *rest, **named)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        yield told


def in_words(given: Given, scheme: LabelScheme, told: Sequence[str]) -> Iterator[str]:
    """Yield all that a person was told in a run, as a record may keep it.

    Files' names, which may be a patient's, and folders are left out: a modality stands for its
    volume.

    :param scheme: of the result.
    :param told: as `noted` has it.
    """
    yield from cautions(given.study, scheme)
    for record in given.records:
        yield from (f"{record.modality.label}: {remark}" for remark in record.remarks)
    names = {volume.name: modality.label for modality, volume in given.study.items()}
    if given.options.brain_mask is not None:
        names[given.options.brain_mask.name] = "brain mask"
    for text in told:
        for name in sorted(filter(None, names), key=len, reverse=True):
            text = text.replace(name, names[name])
        yield _FOLDERS.sub("", text)
