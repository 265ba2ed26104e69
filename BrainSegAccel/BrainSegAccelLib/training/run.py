"""A whole training run: configuration, files, folder, reports, resumption."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import InputError, UnavailableError
from ..models.config import HybridConfig
from .config import TrainingConfig, read_config
from .interruption import interruption
from .own_cases import FOLDER, OwnCases
from .own_data import OwnData, open_own_data
from .precision import multiplies_bf16
from .pretrained import PretrainedWeights, joint_sha256, read_pretrained
from .pruning import prune as pruned
from .reporting import BarReport, LogReport, TensorBoardReport
from .train import CHECKPOINT, Listener, Trainer, validation_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Given:
    """The files that a run was given.

    :param start: weights to begin with, already pruned if they are to be.
    """

    start: PretrainedWeights | None
    teachers: tuple[PretrainedWeights, ...]
    own: OwnData | None

    def tied_to(self, config: TrainingConfig) -> TrainingConfig:
        """Return the configuration with the hashes of these files.

        :raises InputError: it names others.
        """
        for field, sha256, option in (
            ("initial_weights", self.start.sha256 if self.start else None, "--initial"),
            ("teacher", joint_sha256(self.teachers), "--teacher"),
            ("own_data", self.own.sha256() if self.own else None, "--data"),
        ):
            config = config.with_given(field, sha256, option)
        return config


def train(
    config: Path,
    folder: Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    minutes: float | None = None,
    stop_after: int | None = None,
    seed: int | None = None,
    initial: str | None = None,
    prune: bool = False,
    qat: bool = False,
    teachers: Sequence[str] = (),
    data: Path | None = None,
    prepared: Path | None = None,
) -> None:
    """Run (or go on with) the training of ``config`` in ``folder``.

    :param minutes: stop after this wall time even if steps are left; the run can be resumed.
        Ctrl-C and SIGTERM likewise stop it after the step that is under way.
    :param stop_after: stop after this step, likewise.
    :param seed: instead of the configuration's: another run of the same recipe.
    :param initial: weights to start from, see :func:`read_pretrained`.
    :param prune: they are of a larger network; keep what fits, see :func:`pruning.prune`.
    :param qat: round convolutions as the INT8 export will, see :mod:`fake_quantisation`.
    :param teachers: models to learn from, likewise; of several, from the mean.
    :param data: folder of labelled cases, see :func:`open_own_data`.
    :param prepared: where these are kept as they were prepared; default: in ``folder``.
    :raises InputError: for a bad configuration, a foreign checkpoint, a folder in use, unusable
        cases, or files other than those that the configuration or the checkpoint was made with.
    :raises ModelError: for a model that cannot be trusted.
    :raises KeyboardInterrupt: the run was interrupted; its checkpoint is written.
    """
    settings = _settings(config, seed, prune, qat)
    _check_options(settings, initial, data)
    where = _device(device)
    given = _open(settings, initial, teachers, data)
    settings = given.tied_to(settings)
    if not resume:
        _check_new(folder, given.own)
    own = (
        OwnCases.of(settings, given.own, prepared or folder / FOLDER, where) if given.own else None
    )
    end = time.monotonic() + 60 * minutes if minutes else float("inf")
    last = settings.steps if stop_after is None else stop_after
    with contextlib.ExitStack() as stack:
        trainer = _trainer(settings, folder, where, given, own, stack)
        if resume:
            trainer.resume()
        if own:
            own.prepare()
        asked = stack.enter_context(interruption())
        if trainer.step < last:
            trainer.run(
                until=lambda: asked.is_set() or time.monotonic() > end or trainer.step >= last
            )
        if asked.is_set() and trainer.step < last:
            raise KeyboardInterrupt


def _settings(config: Path, seed: int | None, prune: bool, qat: bool) -> TrainingConfig:
    changes: dict[str, object] = {} if seed is None else {"seed": seed}
    if prune:
        changes["initial_pruned"] = True
    if qat:
        changes["quantisation_aware"] = True
    return read_config(config).model_copy(update=changes)


def _check_options(config: TrainingConfig, initial: str | None, data: Path | None) -> None:
    """Refuse options that do not go together.

    :raises InputError: nothing to prune, or what only the tumour network's training knows.
    """
    asked = {
        "--data": data is not None,
        "--prune": config.initial_pruned,
        "--qat": config.quantisation_aware,
    }
    for option, given in asked.items():
        if given and config.task != "tumour":
            raise InputError(
                f"is not there for the task {config.task}",
                where=option,
                remedy="leave it out, or train for the task tumour",
            )
    if config.initial_pruned and not initial:
        raise InputError("prunes nothing", where="--prune", remedy="give weights with --initial")


def _open(
    config: TrainingConfig, initial: str | None, teachers: Sequence[str], data: Path | None
) -> _Given:
    start = read_pretrained(initial) if initial else None
    guides = tuple(read_pretrained(teacher) for teacher in teachers)
    for given in (*guides, *([start] if start else [])):
        given.require_task(config.task)
    if start and config.initial_pruned and isinstance(config.network, HybridConfig):
        start = pruned(start, config.network)
    elif start:
        start.require_network(config.network)
    own = open_own_data(data, config.held_out_share) if data else None
    return _Given(start, guides, own)


def _check_new(folder: Path, own: OwnData | None) -> None:
    """Check what a run begins with, before hours are spent.

    :raises InputError: the folder holds a run; labels that cannot be used.
    """
    if (folder / CHECKPOINT).exists():
        raise InputError(
            "holds a checkpoint already", where=folder.name, remedy="add --resume or choose another"
        )
    if own:
        own.check()
        log.info("%d cases to train on, %d held out", len(own.training), len(own.held_out))


def _trainer(
    config: TrainingConfig,
    folder: Path,
    device: torch.device,
    given: _Given,
    own: OwnCases | None,
    stack: contextlib.ExitStack,
) -> Trainer:
    """Make the trainer with its reports, which ``stack`` closes."""
    board = stack.enter_context(TensorBoardReport(folder / "tensorboard"))
    listeners: list[Listener] = [LogReport(), board]
    if sys.stderr.isatty():
        listeners.append(stack.enter_context(BarReport()))
    return Trainer(
        config,
        folder,
        device,
        initial=given.start,
        teachers=[teacher.build(device) for teacher in given.teachers],
        sources=own.sources() if own else None,
        validation=validation_of(config, device, [own.validation()] if own else ()),
        listeners=tuple(listeners),
    )


def _device(name: str) -> torch.device:
    """Return the device to train on, made ready.

    :raises UnavailableError: this machine has no such device, or PyTorch cannot use it.
    """
    if name not in ("cpu", "cuda"):
        raise InputError(f"no device named {name!r}", where="--device", remedy="give cpu or cuda")
    if name == "cuda":
        if not torch.cuda.is_available():
            raise UnavailableError(
                "PyTorch finds no CUDA device", where="--device", remedy="give --device cpu"
            )
        torch.backends.cudnn.benchmark = True  # all samples of a stage have one shape
    device = torch.device(name)
    log.info("%s in %s", name, "BF16 autocast" if multiplies_bf16(device) else "FP32")
    return device
