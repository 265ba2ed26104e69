"""What the manifest says of the machine: hardware, operating system and libraries."""

from __future__ import annotations

from pydantic import Field

from ..records import Count, Measured, Record, Text


class Cpu(Measured):
    """The processor, and how much of it this process may use."""

    model: Text | None
    architecture: Text = Field(description="As the operating system names it, e.g. x86_64.")
    physical_cores: int | None = Field(gt=0)
    logical_cores: int | None = Field(gt=0)
    usable_cores: float = Field(
        gt=0, description="Logical cores left by CPU affinity and the container's quota."
    )
    instruction_sets: tuple[Text, ...] | None = Field(
        description="Vector and matrix extensions that bear on the network's speed."
    )


class Memory(Record):
    """Main memory."""

    total_bytes: Count
    usable_bytes: Count = Field(description="Total, or the container's limit where that is less.")


class Gpu(Measured):
    """One NVIDIA GPU, as nvidia-smi tells it."""

    name: Text
    memory_bytes: Count | None
    compute_capability: Text | None
    driver: Text | None


class Hardware(Measured):
    """The machine that ran."""

    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...] | None = Field(description="NVIDIA GPUs; null where none can be asked.")


class Environment(Record):
    """Operating system, Python and the installed libraries that bear on speed or result."""

    operating_system: Text
    python: Text = Field(description="Implementation and version.")
    libraries: dict[str, Text] = Field(
        description="Installed version by distribution name; a library not listed is not installed."
    )
