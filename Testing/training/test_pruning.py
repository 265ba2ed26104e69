"""Pruning: what is kept, that it fits together, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.models.config import HybridConfig
from BrainSegAccelLib.models.hybrid import HybridNetwork
from BrainSegAccelLib.training.pretrained import PretrainedWeights
from BrainSegAccelLib.training.pruning import axes_of, prune
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

WIDE = HybridConfig(
    widths=(4, 6, 16, 32),
    encoder_blocks=(1, 2, 1, 1),
    ssd_blocks=(1, 2),
    head_width=8,
    state_width=4,
    chunk_length=4,
)
NARROW = WIDE.model_copy(update={"widths": (2, 4, 8, 16)})


def trained(config: HybridConfig, seed: int = 0) -> PretrainedWeights:
    """Weights of which none is zero, as after training."""
    torch.manual_seed(seed)
    network = HybridNetwork(config, 4, 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return PretrainedWeights(
        "weights.safetensors", "0" * 64, "tumour", config, network.state_dict()
    )


def found(weights: PretrainedWeights) -> torch.Tensor:
    torch.manual_seed(5)
    x = torch.randn(1, 4, 16, 32, 16)
    return weights.build(torch.device("cpu"))(x, torch.tensor([[1.0, 1.0, 0.0, 1.0]]))


@pytest.mark.parametrize("mixer", ["ssd", "convolution"])
def test_every_axis_of_every_parameter_is_told(mixer: str) -> None:
    config = WIDE.model_copy(update={"token_mixer": mixer})
    tensors = trained(config).tensors
    axes = axes_of(config)
    assert set(axes) == set(tensors) - {"head.bias"}
    for name, told in axes.items():
        for size, axis in zip(tensors[name].shape, told, strict=False):
            assert not axis or sum(part.units * part.size for part in axis) == size, name


def test_keeping_everything_is_the_identity() -> None:
    weights = trained(WIDE)
    pruned = prune(weights, WIDE)
    assert set(pruned.tensors) == set(weights.tensors)
    assert all(torch.equal(pruned.tensors[name], weights.tensors[name]) for name in pruned.tensors)


def test_members_that_do_nothing_go_and_nothing_changes() -> None:
    """A narrow network hidden within a wide one, at random places, is found again."""
    narrow = NARROW.model_copy(update={"token_mixer": "convolution"})
    wide = WIDE.model_copy(update={"token_mixer": "convolution"})
    small, large = (
        trained(narrow),
        {n: torch.zeros_like(t) for n, t in trained(wide).tensors.items()},
    )
    places: dict[str, torch.Tensor] = {}
    few, many = axes_of(narrow), axes_of(wide)
    torch.manual_seed(3)
    for name, axes in many.items():
        where = []
        for axis, short, size in zip(axes, few[name], small.tensors[name].shape, strict=False):
            if not axis:
                where.append(torch.arange(size))
                continue
            first, chosen = 0, []
            for part, fewer in zip(axis, short, strict=True):
                if part.among not in places:
                    places[part.among] = torch.randperm(part.units)[: fewer.units].sort().values
                chosen.append(first + places[part.among])
                first += part.units
            where.append(torch.cat(chosen))
        index = torch.meshgrid(*where, indexing="ij")
        large[name][index] = small.tensors[name]
    large["head.bias"] = small.tensors["head.bias"]
    hidden = PretrainedWeights("wide", "0" * 64, "tumour", wide, large)
    pruned = prune(hidden, narrow)
    for name, tensor in small.tensors.items():
        assert torch.equal(pruned.tensors[name], tensor), name
    torch.testing.assert_close(found(hidden), found(pruned), atol=1e-4, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    widths=st.tuples(
        st.integers(1, 4), st.integers(1, 6), st.sampled_from([8, 16]), st.sampled_from([8, 16, 32])
    ),
    blocks=st.tuples(*[st.integers(0, most) for most in WIDE.encoder_blocks]),
    ssd=st.tuples(*[st.integers(0, most) for most in WIDE.ssd_blocks]),
)
def test_what_is_left_is_a_network(widths, blocks, ssd) -> None:
    smaller = HybridConfig(
        **{
            **WIDE.model_dump(),
            "widths": widths,
            "encoder_blocks": blocks,
            "ssd_blocks": ssd,
        }
    )
    weights = prune(trained(WIDE), smaller)
    assert found(weights).isfinite().all()
    kept = set(weights.tensors["stem_norm.weight"].tolist())
    assert kept <= set(trained(WIDE).tensors["stem_norm.weight"].tolist())


def test_heads_go_as_a_whole() -> None:
    weights = trained(WIDE)
    name = "ssd.1.0.forward_scan"
    for part in ("project.weight", "log_decay", "step_bias", "skip"):
        tensor = weights.tensors[f"{name}.{part}"]
        rows = tensor[:32] if part == "project.weight" else tensor
        # Heads 1 and 3 matter, of four.
        for head in (0, 2):
            size = len(rows) // 4
            rows[head * size : (head + 1) * size] *= 1e-3
    pruned = prune(weights, NARROW)
    assert torch.equal(
        pruned.tensors[f"{name}.log_decay"], weights.tensors[f"{name}.log_decay"][[1, 3]]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (8, 4, 8, 16)}, r"pruned to widths \(8, 4, 8, 16\), as it has only"),
        ({"ssd_blocks": (2, 2)}, "pruned to ssd_blocks"),
        ({"encoder_blocks": (1, 2, 1, 2)}, "pruned to encoder_blocks"),
        ({"token_mixer": "convolution"}, "pruned to token_mixer convolution, as it has ssd"),
        ({"state_width": 2}, "pruned to state_width 2"),
    ],
)
def test_what_is_larger_or_other_is_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prune(trained(WIDE), NARROW.model_copy(update=change))


def test_the_command_prunes_and_trains_on(tmp_path: Path, capsys) -> None:
    weights = trained(WIDE)
    given_weights = tmp_path / "wide.safetensors"
    header = {"task": "tumour", "network": WIDE.model_dump_json()}
    save_file(dict(weights.tensors), given_weights, metadata=header)
    stage = {
        "steps": 2,
        "shape": [32, 32, 32],
        "case_voxel": 4,
        "whole_brain": False,
        "samples_per_case": 2,
    }
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps(
            {
                "name": "pruned",
                "network": NARROW.model_dump(),
                "stages": [stage],
                "workers": 0,
                "validation_cases": 0,
            }
        )
    )
    command = ["train", str(config), str(tmp_path / "run")]
    assert main([*command, "--prune"]) == 2
    assert "give weights with --initial" in capsys.readouterr().err
    assert main([*command, "--initial", str(given_weights)]) == 2
    assert "weights of another network" in capsys.readouterr().err
    assert main([*command, "--initial", str(given_weights), "--prune"]) == 0
    written = json.loads((tmp_path / "run" / "training.json").read_text())
    assert written["initial_pruned"]
    assert len(written["initial_weights"]) == 64
    assert (tmp_path / "run" / "weights.safetensors").exists()
