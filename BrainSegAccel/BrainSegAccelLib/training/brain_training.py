"""Training of the brain network on synthetic heads of any contrast."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from ..io.atomic import atomic_write
from ..models.config import UNetConfig
from ..models.unet import UNet
from ..synthesis.heads import HeadGenerator, SyntheticHead
from ..synthesis.noise import smooth_noise
from ..synthesis.rng import Rng

log = logging.getLogger(__name__)

SEQUENCES = 4


class BrainTrainingConfig(BaseModel):
    """What makes a run of training repeatable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "brain-1"
    network: UNetConfig = UNetConfig()
    shape: tuple[int, int, int] = Field(default=(112, 112, 96), description="(z, y, x) voxels")
    voxel: float = Field(default=2.5, gt=0, description="mm")
    images_per_head: int = Field(default=2, ge=1, le=SEQUENCES)
    steps: int = Field(default=900, gt=0)
    learning_rate: float = Field(default=4e-3, gt=0)
    seed: int = 1
    precision: Literal["fp32", "bf16"] = "bf16"


def train_brain(
    config: BrainTrainingConfig,
    folder: Path,
    *,
    save_every: int = 100,
    listen: Callable[[int, float], None] = lambda step, loss: None,
) -> UNet:
    """Train from nothing on one new head a step; return the averaged network.

    Writes ``weights.safetensors`` and ``training.json`` into ``folder``.

    :param listen: called after every step with its number, from 1, and its loss.
    """
    torch.manual_seed(config.seed)
    network = UNet(config.network, 1, 1)
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    generator = HeadGenerator(config.voxel)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "training.json") as beside:
        beside.write_text(config.model_dump_json(indent=2) + "\n")
    for step in range(1, config.steps + 1):
        images, target = draw_batch(config, generator, step)
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(config, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            logits = network(images)
        loss = _loss(logits.float(), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        _follow(average, network, min(0.99, step / (step + 10)))
        listen(step, float(loss.detach()))
        if step % save_every == 0 or step == config.steps:
            _save(folder / "weights.safetensors", average, config)
    return average.eval()


def draw_batch(
    config: BrainTrainingConfig, generator: HeadGenerator, step: int
) -> tuple[Tensor, Tensor]:
    """Images [B, 1, D, H, W] as the network sees them, and the brain as 0 or 1, same shape."""
    seed = config.seed * 1_000_000 + step
    rng = Rng(-seed, generator.device)
    first = rng.integer(0, SEQUENCES - 1)
    channels = ((first + i) % SEQUENCES for i in range(config.images_per_head))
    head = generator.generate(seed, tuple(channels))
    pairs = [_disguised(rng, image, head) for image in head.images]
    placed = [_place(rng, pair, head.mask, config.shape) for pair in pairs]
    images = torch.stack([scale_to_unit(pair[0]) for pair in placed])
    return images[:, None], torch.stack([pair[1] for pair in placed])[:, None]


def scale_to_unit(image: Tensor) -> Tensor:
    """0.5th and 99.5th percentile of an image [D, H, W] to 0 and 1, clipped."""
    ranks = torch.tensor([0.005, 0.995])
    low, high = torch.quantile(image.flatten()[::3], ranks)
    return ((image - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)


def _disguised(rng: Rng, image: Tensor, head: SyntheticHead) -> Tensor:
    """Image and mask [2, D, H, W], the image made stranger: contrast, shading, noise, background.

    The network is to find brains by their shape and place, whatever sequence shows them.
    """
    image = image / image.max()
    mask = head.mask.float()
    if rng.event(0.5):
        image = torch.where(head.mask, image, image * _gains(rng, image, head.voxel))
    if rng.event(0.3):
        image = _another_contrast(rng, image)
    if rng.event(0.6):
        shading = smooth_noise(rng, image.shape, head.voxel, rng.uniform(70, 200))[0]
        image = image * torch.exp(shading * rng.uniform(0, 0.45))
    if rng.event(0.4):
        image = (image + rng.white(image.shape) * rng.uniform(0, 0.06)).abs()
    if rng.event(0.07):
        image = image * mask
    elif rng.event(0.25):
        image = image * ~head.air
    return torch.stack([image, mask])


def _gains(rng: Rng, image: Tensor, voxel: float) -> Tensor:
    """A gain of its own for each of many patches: faces differ more than can be drawn."""
    patches = smooth_noise(rng, image.shape, voxel, rng.uniform(8, 30))[0]
    levels = torch.tensor([rng.log_uniform(0.25, 3) for _ in range(8)])
    return levels[(patches * 2 + 4).clamp(0, 7).long()]


def _another_contrast(rng: Rng, image: Tensor) -> Tensor:
    """Pass intensities through a random broken line; air stays dark."""
    knots = 6
    heights = torch.tensor([0.0] + [rng.uniform() for _ in range(knots)])
    position = (image * knots).clamp(0, knots - 1e-3)
    left = position.long()
    return torch.lerp(heights[left], heights[left + 1], position - left)


def _place(rng: Rng, pair: Tensor, mask: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Crop and pad ``pair`` [2, D, H, W] to ``shape``, the brain's top near that of the block."""
    inside = mask.nonzero()
    low, high = inside.amin(0), inside.amax(0)
    first = [int(v) for v in (low + high - torch.tensor(shape)) // 2]
    first[0] = int(high[0]) + 12 - shape[0]
    first = [start + rng.integer(-6, 6) for start in first]
    result = pair.new_zeros(2, *shape)
    source, target = [slice(None)], [slice(None)]
    for start, size, available in zip(first, shape, pair.shape[1:], strict=True):
        source.append(slice(max(0, start), min(available, start + size)))
        target.append(slice(max(0, -start), min(size, available - start)))
    result[tuple(target)] = pair[tuple(source)]
    return result


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy and soft Dice over each image."""
    probability = torch.sigmoid(logits)
    axes = (1, 2, 3, 4)
    overlap = (probability * target).sum(axes)
    dice = 2 * overlap / (probability.sum(axes) + target.sum(axes)).clamp_min(1)
    entropy = functional.binary_cross_entropy_with_logits(logits, target)
    return entropy + (1 - dice).mean()


def _learning_rate(config: BrainTrainingConfig, step: int) -> float:
    """Linear warm-up over 20 steps, then a cosine to zero."""
    fall = 0.5 * (1 + math.cos(math.pi * step / config.steps))
    return config.learning_rate * min(1.0, step / 20) * fall


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


def _save(path: Path, network: nn.Module, config: BrainTrainingConfig) -> None:
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}
    with atomic_write(path) as beside:
        save_file(tensors, beside, metadata={"training": config.name})
