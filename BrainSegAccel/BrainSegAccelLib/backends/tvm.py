"""Apache TVM: the exported program as a Relax module, compiled by LLVM for this processor.

TVM by itself computes 3D convolutions in plain loops on one core, a hundred times slower than need
be; `tvm_schedules` puts the loops in order.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..system.hardware import probe_cpu
from ..system.host import cpu_name, usable_cores
from .cache import EngineCache
from .protocol import Availability, Device, EngineInfo, Precision, Shape
from .runtime import Runtime, load_or_make, no_compiler
from .tvm_schedules import source_digest

if TYPE_CHECKING:
    from ..models.description import Inputs
    from ..models.package import ModelPackage

ENTRY = "main"


class TvmBackend(Runtime):
    """Compiles a shared library, which later processes load."""

    name = "tvm"
    title = "Apache TVM"
    distributions = ("apache-tvm",)
    install = "pip install 'brainsegaccel[tvm]'"
    build_seconds = 25.0
    formats: ClassVar = {Device.CPU: (Precision.FP32,)}

    def lacks(self, device: Device, precision: Precision) -> Availability | None:
        """PyTorch, which exports the program, and a compiler, which links the library."""
        if importlib.util.find_spec("torch") is None:
            return Availability.no(
                "PyTorch, which TVM imports from, is not installed", self.install
            )
        return no_compiler()

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> TvmEngine:
        """Load the library from the cache, else export, compile and keep it there."""
        started = time.perf_counter()
        share_cores()
        target = llvm_target()
        settings = {"target": _in_words(target), "schedules": source_digest()}
        key = self.key(model, shape, precision, cpu_name(), settings)
        library, hit = load_or_make(
            cache, key, _load, lambda: _compile(model, shape, precision, target)
        )
        info = EngineInfo(
            backend=self.name,
            version=self.version() or "",
            device=device,
            device_name=cpu_name(),
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            cache_key=key.digest,
            cache_hit=hit,
            settings=settings,
        )
        return TvmEngine(library, info, model.card.inputs)


class TvmEngine:
    """A virtual machine on the compiled library."""

    def __init__(self, library: Any, info: EngineInfo, inputs: Inputs) -> None:
        import tvm
        from tvm import relax

        self.info = info
        self._inputs = inputs
        self._tensor = tvm.runtime.tensor
        self._run = relax.VirtualMachine(library, tvm.cpu())[ENTRY]

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        given = map(self._tensor, self._inputs.feed(x, availability))
        return self._run(*given)[0].numpy()[0]


LLVM_FEATURES = {"AVX-512F": "avx512f", "AVX2": "avx2", "FMA": "fma", "F16C": "f16c"}
"""Instruction sets as `system.hardware` names them -> LLVM's name of what goes without them."""

SPINS = 10_000
"""How often an idle thread of TVM looks for work before it sleeps: some milliseconds, more than lie
between two loops. TVM's own 300000 keep a core busy for a tenth of a second after each run."""


def share_cores() -> None:
    """Let TVM use every core that this process may, pin no thread, and soon leave the cores.

    It reads this before its first parallel loop. By itself it takes half of the cores on x86, and
    pins the calling thread to one, where whatever other runtimes start later has to stay too.
    """
    os.environ.setdefault("TVM_NUM_THREADS", str(usable_cores()))
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    os.environ.setdefault("TVM_THREAD_POOL_SPIN_COUNT", str(SPINS))


def llvm_target() -> dict[str, Any]:
    """Return this processor as TVM takes a target."""
    import tvm

    name = str(tvm.get_global_func("target.llvm_get_system_cpu")())
    return target_without_hidden(name, probe_cpu().instruction_sets)


def target_without_hidden(name: str, instruction_sets: Sequence[str] | None) -> dict[str, Any]:
    """Return a processor without the vector units that its model has and this machine hides.

    LLVM goes by the model's name; a virtual machine may hide AVX-512 all the same, and code that
    uses it would end the process.

    :param name: as LLVM names it, e.g. ``znver4``.
    :param instruction_sets: what the system tells; None if it tells nothing.
    """
    import tvm

    has = tvm.get_global_func("target.llvm_cpu_has_feature")
    model = tvm.target.Target({"kind": "llvm", "mcpu": name})
    told = set(LLVM_FEATURES if instruction_sets is None else instruction_sets)
    hidden = [f for known, f in LLVM_FEATURES.items() if known not in told and has(f, model)]
    return {"kind": "llvm", "mcpu": name, "mattr": [f"-{feature}" for feature in hidden]}


def _in_words(target: Mapping[str, Any]) -> str:
    return " ".join(["llvm", target["mcpu"], *target["mattr"]])


def relax_module(model: ModelPackage, shape: Shape, precision: Precision) -> Any:
    """Import the exported program whole; an operator that TVM does not know is an error.

    :raises AssertionError: TVM's, which names the operator.
    """
    from tvm.relax.frontend.torch import from_exported_program

    from ..models.program import exported_program

    return from_exported_program(exported_program(model, shape, precision, Device.CPU))


def _compile(
    model: ModelPackage, shape: Shape, precision: Precision, target: Mapping[str, Any]
) -> bytes:
    import tvm

    from .tvm_schedules.pipeline import scheduled

    llvm = tvm.target.Target(dict(target))
    compiled = tvm.compile(scheduled(relax_module(model, shape, precision), llvm), target=llvm)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "engine.so")
        compiled.export_library(str(path))
        return path.read_bytes()


def _load(stored: bytes) -> Any:
    """Load the library; its file may be removed at once where the system keeps it mapped."""
    import tvm

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, "engine.so")
        path.write_bytes(stored)
        return tvm.runtime.load_module(str(path))


BACKEND = TvmBackend()
