"""The parameters of registration, in one value for every implementation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RegistrationSettings:
    """How two volumes are brought together; rigid, by Mattes mutual information.

    Mattes et al. 2003, "PET-CT image registration in the chest using free-form deformations",
    doi 10.1109/TMI.2003.809072. Steps are millimetres; a rotation counts as the way it moves a
    point `lever_mm` away from the centre of the head, so that both converge alike.

    :param histogram_bins: of the joint histogram, along each axis.
    :param samples: voxels of the fixed head that are compared, at most; all if there are fewer.
    :param levels_mm: voxel sizes of the resolutions that are registered one after the other.
    :param longest_steps_mm: first step of the descent at each of them.
    :param shortest_step_mm: the descent ends when its step is shorter.
    :param relaxation: the step is multiplied by it when the descent turns round.
    :param iterations: at most, at each resolution.
    :param lever_mm: about the radius of gyration of a head.
    :param seed: of the choice of samples.
    """

    histogram_bins: int = 50
    samples: int = 75_000
    levels_mm: tuple[float, ...] = (4.0, 2.0)
    longest_steps_mm: tuple[float, ...] = (3.0, 1.0)
    shortest_step_mm: float = 0.01
    relaxation: float = 0.5
    iterations: int = 60
    lever_mm: float = 50.0
    seed: int = 20260101
