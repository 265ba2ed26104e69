"""The one source of randomness of a synthetic case."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

_Key = TypeVar("_Key", bound=str)


class Rng:
    """Seeded draws. Scalars come from a CPU generator, fields from one on ``device``.

    The same seed gives the same case on the same kind of device; CPU and CUDA generators differ in
    the fields they draw, never in the scalars.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self._scalars = torch.Generator().manual_seed(seed)
        self._fields = torch.Generator(device).manual_seed(seed + 1)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        return low + (high - low) * float(torch.rand((), generator=self._scalars))

    def log_uniform(self, low: float, high: float) -> float:
        """A positive number whose logarithm is uniform."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self, deviation: float = 1.0) -> float:
        """A zero-mean Gaussian number."""
        return deviation * float(torch.randn((), generator=self._scalars))

    def event(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return int(torch.randint(low, high + 1, (), generator=self._scalars))

    def pick(self, weights: Mapping[_Key, float]) -> _Key:
        """A key, with probability proportional to its weight."""
        drawn = torch.multinomial(torch.tensor(list(weights.values())), 1, generator=self._scalars)
        return list(weights)[int(drawn)]

    def places(self, weights: Tensor, count: int) -> Tensor:
        """Flat indices of ``count`` distinct places drawn by ``weights`` [n], on the CPU."""
        return torch.multinomial(weights.cpu(), count, generator=self._scalars)

    def rotation(self) -> Tensor:
        """A random orthogonal 3x3 matrix (CPU)."""
        return torch.linalg.qr(torch.randn(3, 3, generator=self._scalars))[0]

    def white(self, shape: Sequence[int]) -> Tensor:
        """Unit Gaussian noise of ``shape`` on the device."""
        return torch.randn(tuple(shape), generator=self._fields, device=self.device)
