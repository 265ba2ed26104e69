"""The training loop, the same for every task."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import swa_utils
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR
from torch.utils.data import DataLoader

from ..errors import InputError
from ..io.atomic import atomic_write
from ..models.networks import TrainableNetwork, new_network
from .checkpoint import load_checkpoint, save_checkpoint, save_weights
from .config import TrainingConfig
from .fake_quantisation import calibrate, plain_state, quantise
from .loss import RegionLoss, SupervisedNetwork
from .precision import mixed_precision
from .pretrained import PretrainedWeights
from .samples import Sample, SampleStream, SourceOf, begin_worker
from .tasks import training_task
from .validation import Validation, ValidationSet

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"
CALIBRATION_SAMPLES = 16
"""Samples that set the first ranges of quantisation-aware training."""


@dataclass(frozen=True)
class Progress:
    """One finished step, for logs, bars and dashboards."""

    step: int
    steps: int
    stage: int
    loss: float
    learning_rate: float
    seconds: float
    """Wall time of this step, with the wait for its sample."""
    remaining: float
    """Estimated seconds to the end of the run, other stages taken at their voxel count."""
    scores: dict[str, float] | None = None
    """Validation, where it has just been run."""


Listener = Callable[[Progress], None]


class Trainer:
    """Trains one network in ``folder``, which holds checkpoint, weights and configuration.

    :param device: where network and loss run, see :func:`mixed_precision`.
    :param initial: weights to start from, of the configured network.
    :param teachers: networks of the same task in evaluation mode, on ``device``; the mean of their
        probabilities is a target too.
    :param sources: where the cases of a stage come from; default: all are synthetic.
    :param validation: what the averaged network is scored on; default: synthetic cases.
    :param checkpoint_seconds: wall time between checkpoints.
    :param listeners: called after every step.
    """

    def __init__(
        self,
        config: TrainingConfig,
        folder: Path,
        device: torch.device,
        *,
        initial: PretrainedWeights | None = None,
        teachers: Sequence[nn.Module] = (),
        sources: SourceOf | None = None,
        validation: Validation | None = None,
        checkpoint_seconds: float = 180.0,
        listeners: tuple[Listener, ...] = (),
    ) -> None:
        self.config, self.folder, self.device = config, folder, device
        self.checkpoint_seconds = checkpoint_seconds
        self.listeners = listeners
        self.teachers = teachers
        self.kind = training_task(config.task)
        self.sources = sources or self.kind.sources(config, device)
        self.validation = validation or validation_of(config, device)
        torch.manual_seed(config.seed)
        network: TrainableNetwork = new_network(config.network, *self.kind.task.channels)
        if initial:
            initial.load_into(network)
        self.model = SupervisedNetwork(network).to(device)
        if config.quantisation_aware:
            quantise(self.model.network)
        self.average = swa_utils.AveragedModel(
            self.model.network, multi_avg_fn=_moving_average(config.ema_decay)
        )
        self.optimiser = _optimiser(self.model, config)
        self.schedule = _schedule(self.optimiser, config)
        self.loss = RegionLoss(
            config.cross_entropy_weight,
            config.deep_supervision,
            config.teacher_share,
            self.kind.task.inputs.spacing_mm[0],
        )
        self.step = 0
        self.seconds = 0.0

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        :raises InputError: if there is none, or one of another configuration.
        """
        state = load_checkpoint(self.folder / CHECKPOINT, self.config)
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.schedule.load_state_dict(state["schedule"])
            torch.set_rng_state(state["random"])
            if self.device.type == "cuda" and state["random_cuda"] is not None:
                torch.cuda.set_rng_state(state["random_cuda"], self.device)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"does not fit its configuration: {str(error).splitlines()[0]}", where=CHECKPOINT
            ) from error
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint and the averaged weights, each at once or not at all."""
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": (
                torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
            ),
            # Samples are drawn by their index, so the step is the position in their stream too.
            "step": self.step,
            "seconds": self.seconds,
        }
        save_checkpoint(self.folder / CHECKPOINT, self.config, state)
        save_weights(self.folder / WEIGHTS, plain_state(self.average.module), self.config.header)

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Train to the end of the configuration, or until ``until()`` is true; then save."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder / "training.json") as beside:
            beside.write_text(self.config.model_dump_json(indent=2) + "\n")
        if self.config.quantisation_aware and self.step == 0:
            calibrate(self.model.network, self._run_first_samples)
        saved = began = time.monotonic()
        pace = 0.0
        for stage, sample in self._samples():
            loss = self._train_on(sample)
            seconds = time.monotonic() - began
            pace = 0.9 * pace + 0.1 * seconds if pace else seconds
            progress = Progress(
                self.step,
                self.config.steps,
                stage,
                loss,
                self.rate,
                seconds,
                self._remaining(stage, pace),
                self._scores(),
            )
            for listener in self.listeners:
                listener(progress)
            now = time.monotonic()
            self.seconds += now - began
            if now - saved > self.checkpoint_seconds:
                self.save()
                saved = now
            began = time.monotonic()
            if until():
                break
        self.save()
        log.info("step %d of %d, %.2f hours", self.step, self.config.steps, self.seconds / 3600)

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.schedule.get_last_lr()[0])

    def _scores(self) -> dict[str, float] | None:
        """Validate when it is time: every so many steps, and after the last one."""
        due = self.step % self.config.validation_steps == 0 or self.step == self.config.steps
        if not due or not self.validation.sets:
            return None
        return self.validation.score(self.average.module)

    def _run_first_samples(self) -> None:
        for _, sample in islice(self._samples(), CALIBRATION_SAMPLES):
            with mixed_precision(self.device):
                self.model(sample.x.to(self.device).float(), sample.availability.to(self.device))

    def _samples(self) -> Iterator[tuple[int, Sample]]:
        """The rest of the curriculum: (stage, batch) from the current step on."""
        on_gpu = self.device.type == "cuda"
        first = 0
        for index, stage in enumerate(self.config.stages):
            done = min(max(self.step - first, 0), stage.steps)
            first += stage.steps
            if done == stage.steps:
                continue
            stream = SampleStream(self.config, index, self.sources(stage), self.kind.draw)
            # The stream deals batches to workers in turn from batch 0; a resumed run must start
            # on the first worker's turn, and drops the batches that were already used.
            dropped = done % max(1, self.config.workers)
            order = range((done - dropped) * stage.batch_size, len(stream))
            loader = DataLoader(
                stream,
                batch_size=stage.batch_size,
                sampler=order,
                num_workers=self.config.workers,
                prefetch_factor=4 if self.config.workers else None,
                worker_init_fn=begin_worker,
                # CUDA cannot be used in a process that was forked off one that uses it.
                multiprocessing_context="spawn" if on_gpu and self.config.workers else None,
                pin_memory=on_gpu and self.config.workers > 0,
                # Else each loader would move the state of torch's own generator.
                generator=torch.Generator(),
            )
            for number, batch in enumerate(loader):
                if number >= dropped:
                    yield index, Sample(*batch)

    def _train_on(self, sample: Sample) -> float:
        x, availability = sample.x.to(self.device).float(), sample.availability.to(self.device)
        with mixed_precision(self.device):
            outputs = self.model(x, availability)
        loss = self.loss(outputs, sample.regions, self._taught(x, availability))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_norm)
        if torch.isfinite(norm):
            self.optimiser.step()
        else:
            log.warning("step %d: gradient is not finite, skipped", self.step)
        self.average.update_parameters(self.model.network)
        self.schedule.step()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _taught(self, x: Tensor, availability: Tensor) -> Tensor | None:
        """What the teachers, if any, say about a batch: mean probabilities [B, R, D, H, W]."""
        if not self.teachers:
            return None
        given = (x, availability) if self.kind.task.inputs.availability else (x,)
        with mixed_precision(self.device):
            logits = [teacher(*given) for teacher in self.teachers]
        return torch.stack([each.float().sigmoid() for each in logits]).mean(0)

    def _remaining(self, current: int, pace: float) -> float:
        voxels = [math.prod(stage.shape) * stage.batch_size for stage in self.config.stages]
        first = 0
        seconds = 0.0
        for stage, size in zip(self.config.stages, voxels, strict=True):
            left = first + stage.steps - max(first, min(self.step, first + stage.steps))
            seconds += left * pace * size / voxels[current]
            first += stage.steps
        return seconds


def _optimiser(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW; biases, norms and the recurrence's per-head parameters do not decay."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))


_Tensors = tuple[Tensor, ...] | list[Tensor]


def _moving_average(most: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """Return the update of an exponential moving average.

    :param most: its decay, reached after a while: at step n it is at most ``(n + 1) / (n + 10)``,
        so that random weights are soon forgotten.
    """

    @torch.no_grad()
    def update(averages: _Tensors, weights: _Tensors, done: Tensor | int) -> None:
        step = int(done)
        decay = min(most, (step + 1) / (step + 10))
        torch._foreach_lerp_(averages, weights, 1 - decay)

    return update


def _schedule(optimiser: torch.optim.Optimizer, config: TrainingConfig) -> LRScheduler:
    """Linear warm-up, then half a cosine that reaches the final rate at the last step."""
    warm = config.warm_up_steps
    cosine = CosineAnnealingLR(optimiser, max(1, config.steps - warm), config.final_learning_rate)
    rise = LinearLR(optimiser, start_factor=1 / warm, total_iters=warm - 1)
    return SequentialLR(optimiser, [rise, cosine], milestones=[warm - 1])


def validation_of(
    config: TrainingConfig, device: torch.device, others: Sequence[ValidationSet] = ()
) -> Validation:
    """Return what a run is scored on: synthetic cases of its task, and ``others``."""
    kind = training_task(config.task)
    sets = (kind.validation(config, device), *others)
    return Validation(kind.task, sets, kind.window, device)
