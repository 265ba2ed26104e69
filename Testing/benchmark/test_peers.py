"""Networks of others: they take the volume whole, and the Mamba U-Net's scan is causal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from BrainSegAccelLib.backends.protocol import Device  # noqa: E402
from BrainSegAccelLib.benchmark.peers import (  # noqa: E402
    PEERS,
    MambaUNet,
    PlainMamba,
    make_peer,
    monai_recipe,
)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_runs_the_static_shape(name: str) -> None:
    peer = make_peer(name, (64, 96, 64))
    peer.run()
    assert peer.parameters > 1e5
    assert peer.title == PEERS[name][0]


def test_a_peer_is_not_rounded_to_tf32() -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    make_peer("segresnet", (16, 16, 16)).run()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_the_mamba_unet_gives_a_channel_a_region_on_the_inputs_grid() -> None:
    with torch.no_grad():
        assert MambaUNet()(torch.randn(1, 4, 16, 32, 16)).shape == (1, 3, 16, 32, 16)


def test_a_token_changes_itself_and_what_comes_after_it() -> None:
    torch.manual_seed(0)
    mamba = PlainMamba(8).double().eval()
    tokens = torch.randn(1, 8, 2, 3, 4, dtype=torch.float64)
    other = tokens.clone()
    other.view(1, 8, -1)[:, 0, 10] += 1.0
    with torch.no_grad():
        changed = (mamba(other) - mamba(tokens)).abs().amax(dim=1).flatten() > 1e-12
    assert not changed[:10].any()
    assert changed[10:].all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_recipe_takes_no_other_device_than_the_one_asked_for(tmp_path: Path) -> None:
    with pytest.raises((RuntimeError, AssertionError), match=r"CUDA|NVIDIA"):
        monai_recipe({}, str(tmp_path), device=Device.CUDA)


def test_the_recipe_writes_a_segmentation_of_the_case(write_case, tmp_path: Path) -> None:
    case = write_case(tmp_path / "case", np.zeros((30, 40, 28), np.uint8))
    files = {name: str(case / f"{name}.nii.gz") for name in ("t1", "t1c", "t2", "flair")}
    monai_recipe(files, str(tmp_path / "found"), window=(32, 32, 32))()
    (written,) = (tmp_path / "found").rglob("*.nii.gz")
    assert sitk.ReadImage(str(written)).GetSize()[:3] == (28, 40, 30)
