"""The chunked scan against the recurrence it stands for."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from BrainSegAccelLib.models.ssd import BidirectionalSSD, SelectiveScan  # noqa: E402


def make_scan(chunk_length: int = 8) -> SelectiveScan:
    torch.manual_seed(0)
    return SelectiveScan(width=12, head_width=4, state_width=5, chunk_length=chunk_length).double()


def recurrence(scan: SelectiveScan, tokens: torch.Tensor) -> torch.Tensor:
    """state = exp(-A dt) state + dt B x^T; y = C state + D x, one token at a time."""
    x, inflow, outflow, step = scan.inputs(tokens)
    batch, length, _ = x.shape
    x = x.reshape(batch, length, scan.heads, scan.head_width)
    state = torch.zeros(batch, scan.heads, scan.state_width, scan.head_width, dtype=x.dtype)
    outputs = []
    for t in range(length):
        dt = step[:, t, :, None, None]
        decay = torch.exp(-torch.exp(scan.log_decay)[:, None, None] * dt)
        state = decay * state + dt * inflow[:, t, None, :, None] * x[:, t, :, None, :]
        y = (outflow[:, t, None, :, None] * state).sum(2) + scan.skip[:, None] * x[:, t]
        outputs.append(y.reshape(batch, -1))
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("length", [1, 7, 8, 24, 27])
def test_chunks_equal_the_sequential_recurrence(length: int) -> None:
    scan = make_scan()
    tokens = torch.randn(2, length, 12, dtype=torch.float64)
    torch.testing.assert_close(scan(tokens), recurrence(scan, tokens), rtol=1e-11, atol=1e-11)


def test_chunk_length_does_not_change_the_result() -> None:
    tokens = torch.randn(1, 30, 12, dtype=torch.float64)
    torch.testing.assert_close(make_scan(5)(tokens), make_scan(16)(tokens), rtol=1e-11, atol=1e-11)


def test_scan_is_causal() -> None:
    scan = make_scan()
    tokens = torch.randn(1, 20, 12, dtype=torch.float64)
    changed = tokens.clone()
    changed[:, 13:] += 1
    before, after = scan(tokens), scan(changed)
    torch.testing.assert_close(after[:, :13], before[:, :13])
    assert not torch.allclose(after[:, 13:], before[:, 13:])


def test_steep_decay_stays_finite_forwards_and_backwards() -> None:
    scan = make_scan().float()
    with torch.no_grad():
        scan.step_bias.fill_(30.0)
    tokens = torch.randn(1, 64, 12, requires_grad=True)
    scan(tokens).square().sum().backward()
    assert torch.isfinite(tokens.grad).all()


def test_decay_keeps_fp32_under_autocast() -> None:
    scan = make_scan(64).float()
    tokens = torch.randn(1, 256, 12)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = scan(tokens)
    error = (rounded - scan(tokens)).abs().max() / scan(tokens).abs().max()
    assert error < 0.03


def test_too_many_chunks_are_refused() -> None:
    scan = SelectiveScan(width=4, head_width=4, state_width=2, chunk_length=1)
    with pytest.raises(ValueError, match="use longer chunks"):
        scan(torch.zeros(1, 300, 4))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_block_begins_as_the_identity(order: tuple[int, int, int]) -> None:
    block = BidirectionalSSD(8, 4, 4, 6, order)
    features = torch.randn(2, 8, 2, 3, 4)
    torch.testing.assert_close(block(features), features)


def test_block_looks_both_ways_along_its_order() -> None:
    torch.manual_seed(0)
    block = BidirectionalSSD(8, 4, 4, 6, (2, 0, 1))
    torch.nn.init.normal_(block.project.weight)
    features = torch.zeros(1, 8, 3, 3, 3, requires_grad=True)
    block(features + 1)[0, :, 1, 1, 1].sum().backward()
    influence = features.grad.abs().sum((0, 1))
    assert influence[0, 0, 0] > 0
    assert influence[2, 2, 2] > 0
