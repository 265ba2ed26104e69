"""PyTorch's Inductor: the exported program compiled ahead of time into a package that is cached."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import RunError
from ..system.host import child_environment, installed_version
from .cache import EngineCache
from .protocol import Availability, Device, Engine, EngineInfo, Precision, Shape
from .pytorch import INSTALL, device_name, no_cuda, prepare, torch_engine
from .runtime import Runtime, load_or_make, no_bf16_units, no_compiler

if TYPE_CHECKING:
    from ..models.package import ModelPackage

SETTINGS = {
    # Weights become constants of the program: their layout is chosen when it is compiled.
    "freezing": True,
    # The wrapper only calls kernels; compilers take longer to optimise it than for all of them.
    "aot_inductor.compile_wrapper_opt_level": "O0",
}
_FORMATS = "formats"


class InductorBackend(Runtime):
    """Compiles to C++ on the CPU and to Triton on a GPU. A later process only loads the result."""

    name = "inductor"
    title = "PyTorch Inductor"
    distributions = ("torch",)
    install = INSTALL
    build_seconds = 40.0
    formats: ClassVar = {
        Device.CPU: (Precision.FP32, Precision.BF16),
        Device.CUDA: (Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16),
    }

    def lacks(self, device: Device, precision: Precision) -> Availability | None:
        """A C++ compiler and Python.h; BF16 units for BF16; on CUDA also a GPU and Triton."""
        if device is Device.CUDA:
            return no_cuda() or _no_triton() or no_compiler() or _no_headers()
        return (
            (no_bf16_units() if precision is Precision.BF16 else None)
            or no_compiler()
            or _no_headers()
        )

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> Engine:
        """Load the package from the cache, else export, compile and keep it there.

        :raises RunError: compiling fails, or what was compiled does not run.
        """
        started = time.perf_counter()
        settings = prepare(device, precision)
        name = device_name(device)
        key = self.key(model, shape, precision, name, {**SETTINGS, **settings})
        package, hit = load_or_make(
            cache,
            key,
            lambda stored: _load(stored, device),
            lambda: _compile_apart(model, shape, precision, device),
        )
        info = EngineInfo(
            backend=self.name,
            version=self.version() or "",
            device=device,
            device_name=name,
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            actual_precision=json.loads(package.get_metadata()[_FORMATS]),
            cache_key=key.digest,
            cache_hit=hit,
            settings={**settings, "freezing": "on"},
        )
        return torch_engine(package, info, model.card, recorded=True)


def _load(stored: bytes, device: Device) -> Any:
    from torch._inductor import aoti_load_package

    # On a GPU without locks between threads, which a CUDA graph cannot record.
    return aoti_load_package(io.BytesIO(stored), run_single_threaded=device is Device.CUDA)


def _compile_apart(
    model: ModelPackage, shape: Shape, precision: Precision, device: Device
) -> bytes:
    """Return the package, compiled and tried in a process of its own.

    Compilers crash, and so may what they made: that must not take this process along, which can be
    the worker of somebody's Slicer.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "package.pt2")
        request = {
            "card": model.card.model_dump_json(),
            "folder": str(model.folder),
            "shape": shape,
            "precision": precision,
            "device": device,
            "output": str(output),
        }
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(request),
            env=child_environment(),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RunError(f"compiling failed: {_why(done)}", where=f"inductor {precision}")
        return output.read_bytes()


def _why(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"the process ended with {signal.Signals(-done.returncode).name}"
    return " ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"


def main(request: dict[str, Any]) -> None:
    """Compile what `_compile_apart` asks for, run it once as it will be used, and write it."""
    import numpy as np

    from ..models.card import ModelCard
    from ..models.package import ModelPackage

    model = ModelPackage(ModelCard.model_validate_json(request["card"]), Path(request["folder"]))
    precision, device = Precision(request["precision"]), Device(request["device"])
    depth, height, width = request["shape"]
    shape = (depth, height, width)
    prepare(device, precision)
    package = _compile(model, shape, precision, device)
    info = EngineInfo("inductor", "", device, device_name(device), precision, shape, 0.0)
    engine = torch_engine(_load(package, device), info, model.card, recorded=True)
    engine(np.zeros((1, len(model.card.inputs.channels), *shape), np.float32))
    Path(request["output"]).write_bytes(package)


def _compile(model: ModelPackage, shape: Shape, precision: Precision, device: Device) -> bytes:
    """Return the compiled package, which tells the formats of its operators as metadata."""
    from torch._inductor import aoti_compile_and_package

    from ..models.program import arithmetic_formats, exported_program

    program = exported_program(model, shape, precision, device)
    formats = json.dumps(arithmetic_formats(program))
    package = io.BytesIO()
    configs: dict[str, Any] = {**SETTINGS, "aot_inductor.metadata": {_FORMATS: formats}}
    aoti_compile_and_package(program, package_path=package, inductor_configs=configs)
    return package.getvalue()


def _no_headers() -> Availability | None:
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        return Availability.no(
            "this Python has no Python.h",
            "install its headers (on Debian and Ubuntu: python3-dev), or use another backend",
        )
    return None


def _no_triton() -> Availability | None:
    if installed_version("triton") or installed_version("triton-windows"):
        return None
    return Availability.no("Triton is not installed", "pip install triton, or another backend")


BACKEND = InductorBackend()

if __name__ == "__main__":
    main(json.load(sys.stdin))
