"""Bidirectional state-space mixing of tokens (Mamba-2 "SSD") in plain matrix products.

The recurrence, per head, with a scalar decay::

    state_t = exp(-A * dt_t) * state_{t-1} + dt_t * B_t x_t^T
    y_t     = C_t state_t + D * x_t

is evaluated in chunks as in Dao and Gu, "Transformers are SSMs" (2024), section 6: quadratic
inside a chunk, one small matrix between chunks. Prefix sums are products with a constant
triangular matrix and every decay is the exponential of a difference that is clamped to be at most
zero, so nothing overflows, nothing is divided, and each operator is known to every compiler.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_MAX_CHUNKS = 256


def exact_matmul(left: Tensor, right: Tensor) -> Tensor:
    """Multiply matrices without letting autocast round the operands."""
    if torch.is_autocast_enabled(left.device.type):
        with torch.autocast(left.device.type, enabled=False):
            return left.float() @ right.float()
    return left @ right


class SelectiveScan(nn.Module):
    """One causal SSD scan over tokens.

    :param width: channels of a token; split into heads of ``head_width``.
    :param chunk_length: tokens per chunk. Sequences are zero-padded to a multiple of it.
    """

    lower: Tensor

    def __init__(self, width: int, head_width: int, state_width: int, chunk_length: int) -> None:
        super().__init__()
        self.width = width
        self.heads = width // head_width
        self.head_width = head_width
        self.state_width = state_width
        self.chunk_length = chunk_length
        self.project = nn.Linear(width, width + 2 * state_width + self.heads)
        self.log_decay = nn.Parameter(torch.log(torch.linspace(1.0, 8.0, self.heads)))
        self.step_bias = nn.Parameter(torch.linspace(-4.0, -0.5, self.heads))
        self.skip = nn.Parameter(torch.ones(self.heads))
        side = max(chunk_length, _MAX_CHUNKS)
        self.register_buffer("lower", torch.ones(side, side).tril(), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix ``tokens`` [B, L, width] causally along L; same shape out.

        :raises ValueError: if the sequence needs more chunks than the constant matrix holds.
        """
        x, inflow, outflow, step = self.inputs(tokens)
        batch, length, _ = x.shape
        chunks = math.ceil(length / self.chunk_length)
        if chunks > self.lower.shape[0]:
            raise ValueError(
                f"{length} tokens in chunks of {self.chunk_length} need {chunks} chunks, "
                f"at most {self.lower.shape[0]} are supported: use longer chunks"
            )
        pad = chunks * self.chunk_length - length
        if pad:
            x, inflow, outflow, step = (
                functional.pad(part, (0, 0, 0, pad)) for part in (x, inflow, outflow, step)
            )
        # [B, 1 or heads, chunks, Q, channels]
        inflow = inflow.reshape(batch, 1, chunks, self.chunk_length, self.state_width)
        outflow = outflow.reshape(batch, 1, chunks, self.chunk_length, self.state_width)
        x = x.reshape(batch, chunks, self.chunk_length, self.heads, self.head_width)
        x = x.permute(0, 3, 1, 2, 4)
        step = step.reshape(batch, chunks, self.chunk_length, self.heads).permute(0, 3, 1, 2)
        y = self._scan(x, inflow, outflow, step) + self.skip.reshape(-1, 1, 1, 1) * x
        y = y.permute(0, 2, 3, 1, 4).reshape(batch, chunks * self.chunk_length, self.width)
        return y[:, :length] if pad else y

    def inputs(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Project ``tokens`` [B, L, width] to x [.., width], B [.., N], C [.., N], dt [.., heads].

        A padded token has dt = 0: it neither decays nor feeds the state.
        """
        projected = self.project(tokens)
        split = self.width + 2 * self.state_width
        mixed = functional.silu(projected[..., :split])
        x = mixed[..., : self.width]
        inflow = mixed[..., self.width : self.width + self.state_width]
        outflow = mixed[..., self.width + self.state_width :]
        # Adding the FP32 bias lifts a BF16 projection back to FP32 before the exponentials.
        step = functional.softplus(projected[..., split:] + self.step_bias)
        return x, inflow, outflow, step

    def _scan(self, x: Tensor, inflow: Tensor, outflow: Tensor, step: Tensor) -> Tensor:
        batch, heads, chunks, length, head_width = x.shape
        within = self.lower[:length, :length]
        # log decay, summed from the chunk's start: [B, heads, chunks, Q]
        log_decay = -torch.exp(self.log_decay).reshape(-1, 1, 1) * step
        summed = exact_matmul(log_decay, within.permute(1, 0))
        driven = x * step[..., None]

        decay = torch.exp((summed[..., :, None] - summed[..., None, :]).clamp(max=0.0)) * within
        scores = outflow @ inflow.permute(0, 1, 2, 4, 3)
        y = (scores * decay) @ driven

        total = summed[..., -1]
        to_end = torch.exp((total[..., None] - summed).clamp(max=0.0))
        contributed = (inflow * to_end[..., None]).permute(0, 1, 2, 4, 3) @ driven

        through = exact_matmul(total, self.lower[:chunks, :chunks].permute(1, 0))
        before = through - total
        # The matrix without its diagonal: a chunk is entered by what earlier chunks left.
        earlier = 1.0 - self.lower[:chunks, :chunks].permute(1, 0)
        carry = torch.exp((before[..., :, None] - through[..., None, :]).clamp(max=0.0)) * earlier
        entering = carry @ contributed.reshape(batch, heads, chunks, self.state_width * head_width)
        entering = entering.reshape(batch, heads, chunks, self.state_width, head_width)
        return y + (outflow * torch.exp(summed)[..., None]) @ entering


class BidirectionalSSD(nn.Module):
    """Residual block: scans both ways along one axis order, then a token-wise perceptron.

    Both branches end in zero weights, so a new block is the identity.

    :param order: the order in which the three spatial axes are unrolled, slowest first.
    """

    def __init__(
        self,
        width: int,
        head_width: int,
        state_width: int,
        chunk_length: int,
        order: tuple[int, int, int],
    ) -> None:
        super().__init__()
        self.order = (0, 1, *(2 + axis for axis in order))
        self.inverse = (0, 1, *(2 + order.index(axis) for axis in range(3)))
        self.norm = nn.LayerNorm(width)
        self.forward_scan = SelectiveScan(width, head_width, state_width, chunk_length)
        self.backward_scan = SelectiveScan(width, head_width, state_width, chunk_length)
        self.gate = nn.Linear(width, 2 * width)
        self.mixed_norm = nn.LayerNorm(2 * width)
        self.project = nn.Linear(2 * width, width)
        self.perceptron_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 2 * width)
        self.contract = nn.Linear(2 * width, width)
        for last in (self.project, self.contract):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Mix ``features`` [B, width, D, H, W]; same shape out."""
        unrolled = features.permute(self.order)
        batch, width, *sizes = unrolled.shape
        tokens = unrolled.reshape(batch, width, -1).permute(0, 2, 1)
        normed = self.norm(tokens)
        ahead = self.forward_scan(normed)
        back = self.backward_scan(normed.flip(1)).flip(1)
        mixed = self.mixed_norm(torch.cat([ahead, back], dim=-1))
        tokens = tokens + self.project(mixed * functional.silu(self.gate(normed)))
        hidden = functional.silu(self.expand(self.perceptron_norm(tokens)))
        tokens = tokens + self.contract(hidden)
        return tokens.permute(0, 2, 1).reshape(batch, width, *sizes).permute(self.inverse)
