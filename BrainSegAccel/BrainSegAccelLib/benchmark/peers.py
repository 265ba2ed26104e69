"""Networks of others, as MONAI has them, to be timed beside ours in the same run.

Weights are random: they bear on what a network finds, not on how long it takes. Each runs in FP32
eager on one volume of the same static shape, which all of them take whole, on the processor or on
a GPU. FP32 is FP32: TF32, which PyTorch uses unasked in convolutions on a GPU, is off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from monai.networks.nets import DynUNet, SegResNet, SwinUNETR
from torch import Tensor, nn

from ..backends.cuda import allow_tf32
from ..backends.protocol import Device, Precision, Shape

CHANNELS, REGIONS = 4, 3
WINDOW = (240, 240, 160)
"""Window of the brats_mri_segmentation bundle: a BraTS case in one."""


class PlainMamba(nn.Module):
    """Mamba-1 mixing of tokens with its recurrence as a plain loop, one token after the other.

    Gu and Dao, "Mamba: linear-time sequence modeling with selective state spaces" (2023), without
    the fused kernel that a GPU has for it.
    """

    def __init__(self, width: int, state: int = 16) -> None:
        super().__init__()
        inner = 2 * width
        self.norm = nn.LayerNorm(width)
        self.enter = nn.Linear(width, 2 * inner)
        self.select = nn.Linear(inner, 2 * state + 1)
        self.step = nn.Linear(1, inner)
        self.log_decay = nn.Parameter(torch.log(torch.arange(1.0, state + 1)).repeat(inner, 1))
        self.leave = nn.Linear(inner, width)
        self.state = state

    def forward(self, features: Tensor) -> Tensor:
        """Mix ``features`` [B, width, D, H, W]; same shape out."""
        batch, width, *sizes = features.shape
        tokens = features.reshape(batch, width, -1).permute(0, 2, 1)
        x, gate = self.enter(self.norm(tokens)).chunk(2, dim=-1)
        x = nn.functional.silu(x)
        inflow, outflow, step = self.select(x).split([self.state, self.state, 1], dim=-1)
        step = nn.functional.softplus(self.step(step))
        decay = -torch.exp(self.log_decay)
        held = x.new_zeros(batch, x.shape[-1], self.state)
        mixed = []
        for t in range(x.shape[1]):
            driven = (step[:, t] * x[:, t])[..., None] * inflow[:, t, None]
            held = torch.exp(step[:, t, :, None] * decay) * held + driven
            mixed.append((held * outflow[:, t, None]).sum(-1))
        y = self.leave(torch.stack(mixed, dim=1) * nn.functional.silu(gate))
        return features + y.permute(0, 2, 1).reshape(batch, width, *sizes)


class MambaUNet(nn.Module):
    """A U-Net of residual convolutions with `PlainMamba` at its two coarsest scales."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128, 160)) -> None:
        super().__init__()
        self.stem = nn.Conv3d(CHANNELS, widths[0], 3, padding=1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_block(w, wider, stride=2) for w, wider in pairs)
        self.mix = nn.ModuleList(PlainMamba(width) for width in widths[-2:])
        self.up = nn.ModuleList(nn.ConvTranspose3d(wider, w, 2, stride=2) for w, wider in pairs)
        self.refine = nn.ModuleList(_block(width, width) for width in widths[:-1])
        self.head = nn.Conv3d(widths[0], REGIONS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 3, D, H, W] of ``x`` [B, 4, D, H, W]."""
        features = [self.stem(x)]
        for scale, down in enumerate(self.down):
            coarser = down(features[-1])
            first_mixed = len(self.down) - len(self.mix)
            if scale >= first_mixed:
                coarser = self.mix[scale - first_mixed](coarser)
            features.append(coarser)
        y = features.pop()
        for up, refine in zip(reversed(self.up), reversed(self.refine), strict=True):
            y = refine(up(y) + features.pop())
        return self.head(y)


def _block(width: int, wider: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(width, wider, 3, stride=stride, padding=1),
        nn.InstanceNorm3d(wider, affine=True),
        nn.LeakyReLU(inplace=True),
        nn.Conv3d(wider, wider, 3, padding=1),
        nn.InstanceNorm3d(wider, affine=True),
        nn.LeakyReLU(inplace=True),
    )


def _segresnet() -> nn.Module:
    return SegResNet(
        init_filters=16, blocks_down=(1, 2, 2, 4), in_channels=CHANNELS, out_channels=REGIONS
    )


def _dynunet() -> nn.Module:
    return DynUNet(
        spatial_dims=3,
        in_channels=CHANNELS,
        out_channels=REGIONS,
        kernel_size=[3] * 6,
        strides=[1, 2, 2, 2, 2, 2],
        upsample_kernel_size=[2] * 5,
        filters=[32, 64, 128, 256, 320, 320],
        norm_name="instance",
        res_block=False,
    )


def _swin() -> nn.Module:
    return SwinUNETR(in_channels=CHANNELS, out_channels=REGIONS, feature_size=48)


PEERS: Mapping[str, tuple[str, Callable[[], nn.Module]]] = {
    "segresnet": ("SegResNet, settings of MONAI's brats_mri_segmentation bundle", _segresnet),
    "dynunet": ("DynUNet with nnU-Net's widths (32 to 320)", _dynunet),
    "swinunetr": ("SwinUNETR, feature size 48", _swin),
    "mambaunet": ("Mamba U-Net with a plain sequential scan", MambaUNet),
}
"""What they are and how they are made, by the name that `bench --peers` takes."""


@dataclass(frozen=True, eq=False)
class Peer:
    """A network of others, ready to run.

    :param parameters: number of trained values.
    :param run: does one volume, float32 from and to host memory; returns when it is there.
    """

    name: str
    title: str
    parameters: int
    run: Callable[[], Any]


def make_peer(name: str, shape: Shape, device: str = Device.CPU) -> Peer:
    """Build a peer that runs a volume of noise of a static shape (D, H, W).

    DynUNet halves five times: it gets the volume padded with zeros to multiples of 32.

    :param device: where the network lives: ``cpu`` or ``cuda``.
    """
    title, make = PEERS[name]
    torch.manual_seed(0)
    network = make().eval().to(device)
    padded = [-(-side // 32) * 32 for side in shape]
    x = torch.zeros(1, CHANNELS, *padded)
    x[..., : shape[0], : shape[1], : shape[2]] = torch.randn(1, CHANNELS, *shape)

    def run() -> None:
        allow_tf32(Precision.FP32)  # At each run, as an engine of this process may want it.
        with torch.inference_mode():
            network(x.to(device)).cpu()

    count = sum(parameter.numel() for parameter in network.parameters())
    return Peer(name, title, count, run)


def monai_recipe(
    files: Mapping[str, str],
    folder: str,
    window: tuple[int, int, int] = WINDOW,
    device: str = Device.CPU,
) -> Callable[[], None]:
    """Return the plain way to segment a case with MONAI: `SegResNet` from four files to one.

    :param files: NIfTI file of each of t1, t1c, t2 and flair.
    :param folder: where the result is written.
    :param device: where the network runs, ``cpu`` or ``cuda``; all else is done on the processor.
    """
    from monai.inferers import SlidingWindowInferer
    from monai.transforms import (
        Activationsd,
        AsDiscreted,
        Compose,
        ConcatItemsd,
        EnsureChannelFirstd,
        LoadImaged,
        NormalizeIntensityd,
        SaveImaged,
    )

    keys = ["t1c", "t1", "t2", "flair"]
    before = Compose(
        [
            LoadImaged(keys),
            EnsureChannelFirstd(keys),
            ConcatItemsd(keys, name="image"),
            NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        ]
    )
    after = Compose(
        [
            Activationsd("pred", sigmoid=True),
            AsDiscreted("pred", threshold=0.5),
            SaveImaged("pred", output_dir=folder, print_log=False),
        ]
    )
    torch.manual_seed(0)
    network = _segresnet().eval().to(device)
    infer = SlidingWindowInferer(roi_size=window, sw_batch_size=1, overlap=0.5)

    def run() -> None:
        allow_tf32(Precision.FP32)
        data = before(dict(files))
        with torch.inference_mode():
            data["pred"] = infer(data["image"][None].to(device), network)[0].cpu()
        after(data)

    return run
