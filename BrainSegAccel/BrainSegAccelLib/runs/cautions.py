"""What a reader of a result must know about the modalities it was made from."""

from __future__ import annotations

from collections.abc import Collection

from ..study.label_scheme import LabelScheme
from ..study.modality import Modality


def cautions(available: Collection[Modality], scheme: LabelScheme) -> tuple[str, ...]:
    """Return one sentence for every label that these modalities do not tell.

    :param scheme: the model's; its labels say what tells them.
    """
    return tuple(
        label.caution
        for label in scheme.labels
        if label.caution and not set(label.told_by) & set(available)
    )
