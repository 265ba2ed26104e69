"""A whole training run: configuration, files, folder, reports, resumption."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ..errors import InputError, UnavailableError
from ..io.labelled import LabelledCase
from .config import TrainingConfig, read_config
from .interruption import interruption
from .own_data import OwnData, open_own_data
from .precision import multiplies_bf16
from .prepared_cases import OwnSource, PreparedCases
from .pretrained import joint_sha256, read_pretrained
from .pruning import prune as pruned
from .reporting import BarReport, LogReport, TensorBoardReport
from .sources import MixedSource, SourceOf, synthetic_sources
from .train import CHECKPOINT, Listener, Trainer
from .validation import Validation, ValidationSet

log = logging.getLogger(__name__)

PREPARED = "prepared"
"""Folder in that of the run in which own cases are kept as they were prepared."""


def train(
    config: Path,
    folder: Path,
    *,
    device: str = "cpu",
    resume: bool = False,
    minutes: float | None = None,
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
    settings, where = read_config(config), _device(device)
    start = read_pretrained(initial) if initial else None
    guides = [read_pretrained(teacher) for teacher in teachers]
    own = open_own_data(data, settings.held_out_share) if data else None
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    if prune:
        settings = settings.model_copy(update={"initial_pruned": True})
    if qat:
        settings = settings.model_copy(update={"quantisation_aware": True})
    if settings.initial_pruned and not start:
        raise InputError("prunes nothing", where="--prune", remedy="give weights with --initial")
    if start and settings.initial_pruned:
        start = pruned(start, settings.network)
    elif start:
        start.require_network(settings.network)
    for field, sha256, option in (
        ("initial_weights", start.sha256 if start else None, "--initial"),
        ("teacher", joint_sha256(guides), "--teacher"),
        ("own_data", own.sha256() if own else None, "--data"),
    ):
        settings = settings.with_given(field, sha256, option)
    if not resume and (folder / CHECKPOINT).exists():
        raise InputError(
            "holds a checkpoint already", where=folder.name, remedy="add --resume or choose another"
        )
    if own and not resume:
        own.check()
        log.info("%d cases to train on, %d held out", len(own.training), len(own.held_out))
    cases = PreparedCases(prepared or folder / PREPARED, digest=own.digest) if own else None
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(TensorBoardReport(folder / "tensorboard"))
        listeners: list[Listener] = [LogReport(), board]
        if sys.stderr.isatty():
            listeners.append(stack.enter_context(BarReport()))
        trainer = Trainer(
            settings,
            folder,
            where,
            initial=start,
            teachers=[guide.build(where) for guide in guides],
            sources=_sources(settings, where, own, cases),
            validation=_validation(settings, where, own, cases),
            listeners=tuple(listeners),
        )
        if resume:
            trainer.resume()
        if own and cases:
            _prepare(cases, own.training + own.held_out[: settings.validation_cases])
        end = time.monotonic() + 60 * minutes if minutes else float("inf")
        asked = stack.enter_context(interruption())
        trainer.run(until=lambda: asked.is_set() or time.monotonic() > end)
        if asked.is_set() and trainer.step < settings.steps:
            raise KeyboardInterrupt


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


def _prepare(cases: PreparedCases, needed: Sequence[LabelledCase]) -> None:
    """Prepare all own cases that the run will see, before it begins."""

    def tell(done: int, count: int) -> None:
        if done % 10 == 0 or done == count:
            log.info("%d of %d cases prepared", done, count)

    size = cases.prepare_all(needed, tell)
    log.info("they take %.2f GB in %s", size / 1e9, cases.folder)


def _sources(
    config: TrainingConfig,
    device: torch.device,
    own: OwnData | None,
    cases: PreparedCases | None,
) -> SourceOf:
    synthetic = synthetic_sources(config, device)
    if own is None or cases is None:
        return synthetic
    own_cases = OwnSource(own.training, cases, device)
    return lambda stage: MixedSource(own_cases, synthetic(stage), config.own_data_share)


def _validation(
    config: TrainingConfig,
    device: torch.device,
    own: OwnData | None,
    cases: PreparedCases | None,
) -> Validation:
    if own is None or cases is None:
        return Validation(config, device)
    held_out = OwnSource(own.held_out, cases, device)
    count = min(config.validation_cases, len(own.held_out))
    return Validation(config, device, [ValidationSet("own/", count, held_out.read)])
