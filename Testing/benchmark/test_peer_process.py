"""A peer in its own process: it runs what is asked, and says why it cannot."""

from __future__ import annotations

import time

import psutil
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from BrainSegAccelLib.backends.protocol import Device  # noqa: E402
from BrainSegAccelLib.benchmark.peer_process import PEER_NAMES, PeerProcess  # noqa: E402
from BrainSegAccelLib.benchmark.peers import PEERS, make_peer  # noqa: E402
from BrainSegAccelLib.errors import RunError  # noqa: E402

SHAPE = (16, 32, 16)


def newest_child() -> psutil.Process:
    """The process that started last, of those that earlier tests may have left."""
    return max(psutil.Process().children(), key=psutil.Process.create_time)


def test_it_runs_when_asked_and_ends_with_its_block(capfd: pytest.CaptureFixture[str]) -> None:
    with PeerProcess("mambaunet", SHAPE) as peer:
        assert peer.parameters == make_peer("mambaunet", SHAPE).parameters
        assert peer.title == PEERS["mambaunet"][0]
        assert not peer.has_recipe
        process = newest_child()
        before = process.cpu_times().user
        peer.run()
        assert process.cpu_times().user > before
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_not_another_one() -> None:
    with pytest.raises(RunError, match=r"its process ended: .*(CUDA|NVIDIA)"):
        PeerProcess("mambaunet", SHAPE, device=Device.CUDA)


def test_names_are_those_of_the_peers() -> None:
    assert tuple(PEERS) == PEER_NAMES


def test_the_end_of_the_process_is_an_error_with_its_last_line() -> None:
    files = {"t1": "nowhere.nii.gz"}
    with PeerProcess("segresnet", SHAPE, files) as peer:
        peer.run()
        with pytest.raises(RunError, match=r"segresnet: its process ended: .*Error"):
            peer.run_recipe()
        with pytest.raises(RunError, match="segresnet"):
            peer.run()
    with PeerProcess("segresnet", SHAPE) as peer:
        newest_child().kill()
        time.sleep(0.1)
        with pytest.raises(RunError, match="killed"):
            peer.run()
