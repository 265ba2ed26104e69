"""TensorRT through Torch-TensorRT: the exported program as one engine of the GPU it runs on.

The same code runs the smaller TensorRT for RTX, which Torch-TensorRT takes by itself where its
distribution is ``torch-tensorrt-rtx``.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..system.host import installed_version
from .cache import EngineCache
from .protocol import Availability, Device, Engine, EngineInfo, Precision, Shape
from .pytorch import device_name, no_cuda, prepare, torch_engine
from .runtime import Runtime, load_or_make

if TYPE_CHECKING:
    from ..models.package import ModelPackage

LIBRARIES = {"torch-tensorrt": "tensorrt", "torch-tensorrt-rtx": "tensorrt_rtx"}
"""Module of the TensorRT library that each distribution of Torch-TensorRT needs."""
WITHOUT_INT8 = "torch-tensorrt-rtx"
"""Its TensorRT takes INT8 weights but no INT8 inputs, as Torch-TensorRT's own tests say."""
INT8_NEEDS = ("nvidia-modelopt", "onnx")
"""What defines the quantiser, and what reads its ranges from the INT8 export."""

SETTINGS: dict[str, Any] = {
    # Formats are in the graph, see `program`; nothing is left to run in PyTorch.
    "require_full_compilation": True,
    "min_block_size": 1,
    "disable_tf32": True,
    "immutable_weights": True,
    # Engines are kept by our own cache, whose entries are checked.
    "cache_built_engines": False,
    "reuse_cached_engines": False,
}


class TensorRtBackend(Runtime):
    """Builds for one GPU; a later process only loads the engine."""

    name = "tensorrt"
    title = "Torch-TensorRT"
    distributions = tuple(LIBRARIES)
    install = "pip install 'brainsegaccel[tensorrt]'"
    build_seconds = 90.0
    formats: ClassVar = {
        Device.CUDA: (Precision.FP32, Precision.FP16, Precision.BF16, Precision.INT8)
    }

    def lacks(self, device: Device, precision: Precision) -> Availability | None:
        """An NVIDIA GPU, TensorRT's own library, and what INT8 needs besides."""
        distribution = next(name for name in LIBRARIES if installed_version(name))
        return (
            no_cuda()
            or _no_library(LIBRARIES[distribution])
            or (self._no_int8(distribution) if precision is Precision.INT8 else None)
        )

    def _no_int8(self, distribution: str) -> Availability | None:
        if distribution == WITHOUT_INT8:
            return Availability.no(
                "TensorRT for RTX computes no convolution in INT8",
                "use --precision fp16, or torch-tensorrt in place of torch-tensorrt-rtx",
            )
        missing = [name for name in INT8_NEEDS if not installed_version(name)]
        if missing:
            return Availability.no(f"INT8 needs {' and '.join(missing)}", self.install)
        return None

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> Engine:
        """Load the engine from the cache, else export, build and keep it there.

        :raises UnavailableError: INT8 is asked for and the model has no export for it.
        """
        from ..models.program import arithmetic_formats, example_inputs, exported_program
        from ..system.hardware import probe_hardware

        started = time.perf_counter()
        settings = prepare(device, precision)
        name = device_name(device)
        drivers = {gpu.driver or "" for gpu in probe_hardware().gpus or ()}
        key = self.key(
            model,
            shape,
            precision,
            name,
            {**SETTINGS, **settings},
            driver=",".join(sorted(drivers)),
            export=model.card.quantised if precision is Precision.INT8 else None,
        )
        program = exported_program(model, shape, precision, device)
        engine, hit = load_or_make(
            cache,
            key,
            _load,
            lambda: _compile(
                program,
                example_inputs(model.card.inputs, shape, device),
                timing_cache(cache, name, self.version()),
            ),
        )
        info = EngineInfo(
            backend=self.name,
            version=self.version() or "",
            device=device,
            device_name=name,
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            actual_precision=arithmetic_formats(program),
            cache_key=key.digest,
            cache_hit=hit,
            settings=settings,
        )
        return torch_engine(engine, info, model.card)


def _no_library(library: str) -> Availability | None:
    if importlib.util.find_spec(library):
        return None
    return Availability.no(
        f"the TensorRT library ({library}) is not installed",
        f"install NVIDIA's Python package {library}, or use another backend",
    )


def timing_cache(cache: EngineCache, gpu: str, version: str | None) -> Path:
    """Where the times of kernels are kept, which a build of any model on this GPU begins with."""
    name = "".join(c if c.isalnum() else "-" for c in f"{gpu}-{version}")
    return cache.folder.parent / "timing" / f"{name}.bin"


def _compile(program: Any, inputs: tuple[Any, ...], timing: Path) -> bytes:
    """Return the engine as an exported program of one operator that Torch-TensorRT can load."""
    import torch_tensorrt

    timing.parent.mkdir(parents=True, exist_ok=True)
    compiled = torch_tensorrt.dynamo.compile(
        program, arg_inputs=inputs, timing_cache_path=str(timing), **SETTINGS
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "engine.ep")
        torch_tensorrt.save(compiled, str(path), arg_inputs=inputs)
        return path.read_bytes()


def _load(stored: bytes) -> Any:
    import torch_tensorrt

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "engine.ep")
        path.write_bytes(stored)
        return torch_tensorrt.load(str(path)).module()


BACKEND = TensorRtBackend()
