"""Engines of PyTorch programs on an NVIDIA GPU: how volumes get there, run and come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.card import ModelCard
from .protocol import EngineInfo, Precision

_WARMUP = 3
"""Runs before one is recorded: they make the libraries choose their kernels."""


def allow_tf32(precision: Precision) -> None:
    """Say for this process, from now on, whether FP32 products may be rounded to TF32."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = precision is Precision.TF32
    torch.backends.cudnn.allow_tf32 = precision is Precision.TF32


class CudaEngine:
    """A program behind page-locked buffers, which the GPU reads and writes without a copy.

    Channels are uploaded one by one, each while the processor readies the next. What is rounded to
    16 bits anyway travels in FP16.

    :param run: takes x [1, C, D, H, W], and availability [1, C] where the card says so; returns
        probabilities [1, C, D, H, W] in FP32.
    :param card: of the model: its channels.
    :param recorded: whether a run is recorded once, as a CUDA graph, and then launched as a whole;
        else every kernel is launched in turn.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        info: EngineInfo,
        card: ModelCard,
        *,
        recorded: bool = False,
    ) -> None:
        import torch

        started = time.perf_counter()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self._run, self._inputs = run, card.inputs
        channels = len(card.inputs.channels)
        self._precision = info.precision
        exact = info.precision in (Precision.FP32, Precision.TF32)
        self._sent = torch.empty(
            1,
            channels,
            *info.shape,
            dtype=torch.float32 if exact else torch.float16,
            pin_memory=True,
        )
        self._x = torch.zeros_like(self._sent, device="cuda")
        self._others = [torch.ones(1, channels, device="cuda")] if self._inputs.availability else []
        self._result = torch.empty(len(card.outputs.channels), *info.shape, pin_memory=True)
        self._graph: Any = None
        with torch.inference_mode():
            self._warm_up()
            if recorded:
                self._record()
        torch.cuda.synchronize()
        used = (torch.cuda.max_memory_allocated() - before) / 2**20
        self.info = replace(
            info,
            build_seconds=info.build_seconds + time.perf_counter() - started,
            settings={
                **info.settings,
                "cuda graph": "on" if recorded else "off",
                "gpu memory": f"{used:.0f} MiB",
            },
        )

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        import torch

        with torch.inference_mode():
            given, *others = map(torch.from_numpy, self._inputs.feed(x, availability))
            for there, other in zip(self._others, others, strict=True):
                there.copy_(other)
            for channel in range(given.shape[1]):
                self._sent[:, channel] = given[:, channel]
                self._x[:, channel].copy_(self._sent[:, channel], non_blocking=True)
            if self._graph is None:
                found = self._launch()
            else:
                self._graph.replay()
                found = self._found
            self._result.copy_(found[0], non_blocking=True)
            torch.cuda.current_stream().synchronize()
            return self._result.numpy()

    def _launch(self) -> Any:
        # At each run, since another engine of this process may want it otherwise.
        allow_tf32(self._precision)
        return self._run(self._x.float(), *self._others)

    def _warm_up(self) -> None:
        import torch

        # On another stream than the usual one, as recording asks for.
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARMUP):
                self._launch()
        torch.cuda.current_stream().wait_stream(aside)

    def _record(self) -> None:
        import torch

        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._found = self._launch()
