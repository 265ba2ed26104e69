"""Own cases in a run: mixed with synthetic ones in its steps, and scored where held out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from .config import TrainingConfig
from .own_data import OwnData
from .prepared_cases import OwnSource, PreparedCases
from .samples import SourceOf
from .sources import MixedSource
from .tasks import training_task
from .tumour import validation_case
from .validation import ValidationCase, ValidationSet

log = logging.getLogger(__name__)

FOLDER = "prepared"
"""In the folder of a run, where its own cases are kept as they were prepared."""


@dataclass(frozen=True, eq=False)
class OwnCases:
    """The labelled cases of a user that a run learns from and is scored on."""

    config: TrainingConfig
    data: OwnData
    prepared: PreparedCases
    device: torch.device

    @classmethod
    def of(
        cls, config: TrainingConfig, data: OwnData, folder: Path, device: torch.device
    ) -> OwnCases:
        """Return the cases of a run, kept in ``folder`` as they are prepared."""
        return cls(config, data, PreparedCases(folder, digest=data.digest), device)

    def prepare(self) -> None:
        """Prepare all that the run will see, before it begins.

        :raises InputError: of the first case that cannot be prepared.
        """
        needed = self.data.training + self.data.held_out[: self.config.validation_cases]

        def tell(done: int, count: int) -> None:
            if done % 10 == 0 or done == count:
                log.info("%d of %d cases prepared", done, count)

        size = self.prepared.prepare_all(needed, tell)
        log.info("they take %.2f GB in %s", size / 1e9, self.prepared.folder)

    def sources(self) -> SourceOf:
        """Return where cases of a stage come from: a share are own, the others synthetic."""
        own = OwnSource(self.data.training, self.prepared, self.device)
        synthetic = training_task(self.config.task).sources(self.config, self.device)
        return lambda stage: MixedSource(own, synthetic(stage), self.config.own_data_share)

    def validation(self) -> ValidationSet:
        """Return the cases that are held out."""
        held_out = OwnSource(self.data.held_out, self.prepared, self.device)

        def read(index: int) -> ValidationCase:
            return validation_case(held_out.read(index))

        count = min(self.config.validation_cases, len(self.data.held_out))
        return ValidationSet("own/", count, read)
