"""A network of others in a process of its own, with that process's own settings.

There it runs as its users have it: what our process does for its own speed, such as keeping freed
memory, bears on it in neither direction, and its memory does not count as ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from types import TracebackType

from ..backends.protocol import Device, Shape
from ..errors import RunError
from ..system.host import child_environment

PEER_NAMES = ("segresnet", "dynunet", "swinunetr", "mambaunet")
"""The keys of `peers.PEERS`, which this process need not import."""
_NETWORK, _RECIPE = "network", "recipe"
_DONE = "done"


class PeerProcess:
    """Starts a peer, and has it run; a context manager that ends the process.

    :param name: one of `PEER_NAMES`.
    :param shape: static shape (D, H, W) of its volume.
    :param files: what `peers.monai_recipe` reads; None where only the network is to be timed.
    :param device: where its network runs.
    :raises RunError: it does not start.
    """

    def __init__(
        self,
        name: str,
        shape: Shape,
        files: Mapping[str, str] | None = None,
        device: Device = Device.CPU,
    ) -> None:
        self.name, self.has_recipe, self.device = name, files is not None, device
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (until __exit__)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, name, json.dumps(shape), json.dumps(files), device],
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        told = json.loads(self._answer())
        self.title, self.parameters = str(told["title"]), int(told["parameters"])

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def run(self) -> None:
        """Do one volume.

        :raises RunError: the process has died.
        """
        self._ask(_NETWORK)

    def run_recipe(self) -> None:
        """Do one case with `peers.monai_recipe`, files to file.

        :raises RunError: the process has died.
        """
        self._ask(_RECIPE)

    def _ask(self, what: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(what + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # It has died: there is no answer either.
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            failed = self._process.wait() > 0
            self._log.seek(0)
            why = " ".join(self._log.read().strip().splitlines()[-1:]) if failed else "killed"
            raise RunError(f"its process ended: {why}", where=self.name)
        return line


def main(name: str, shape: str, files: str, device: str) -> None:
    """Run what standard input asks for, line by line, and say when it is done."""
    # Answers keep standard output to themselves: libraries print on it when they are imported.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from .peers import make_peer, monai_recipe

    depth, height, width = json.loads(shape)
    peer = make_peer(name, (depth, height, width), device)
    print(
        json.dumps({"title": peer.title, "parameters": peer.parameters}), file=answers, flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        given = json.loads(files)
        runs = {_NETWORK: peer.run}
        if given is not None:
            runs[_RECIPE] = monai_recipe(given, folder, device=device)
        for line in sys.stdin:
            runs[line.strip()]()
            print(_DONE, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
