"""What a reader of a result must know about the modalities it was made from."""

from __future__ import annotations

from collections.abc import Collection

from ..study.modality import Modality


def cautions(available: Collection[Modality]) -> tuple[str, ...]:
    """Return one sentence for every limit that missing modalities set; empty if there is none."""
    found = []
    if Modality.T1C not in available:
        found.append(
            "Without T1c, enhancing tumour cannot be told from the rest: "
            "that it is missing here is no finding."
        )
    if Modality.T2 not in available and Modality.FLAIR not in available:
        found.append("Without T2 and FLAIR, most of the oedema, and often the tumour, is missed.")
    return tuple(found)
