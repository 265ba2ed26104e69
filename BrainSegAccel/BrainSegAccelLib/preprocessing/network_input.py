"""What a network is given, and the record of how it got there."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.resampling import resample
from ..geometry.volume import Array, Grid, Volume
from ..models.description import ANY, Inputs, ZScore
from ..study.modality import Modality
from ..study.study import Study
from .bias import correct_bias
from .brain_extraction import whole_head
from .brain_mask import BrainMask
from .foreground import is_masked
from .model_grid import model_grid
from .normalisers.registry import normalise
from .options import PreprocessingOptions
from .record import Preprocessing
from .registration.evidence import Alignment
from .shading import remove_shading


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What a network is given.

    :param x: float32 (1, C, D, H, W), normalised, zero in missing channels; D, H, W run along
        S, P, L and are at least the network's static window.
    :param availability: float32 (1, C), 1 where the channel is there.
    :param grid: where ``x[0, c]`` lies in patient space.
    :param record: what was done, for the manifest.
    """

    x: Array
    availability: Array
    grid: Grid
    record: Preprocessing


def make_network_input(
    study: Study,
    inputs: Inputs,
    window: tuple[int, int, int],
    alignment: Mapping[Modality, Alignment] | None = None,
    options: PreprocessingOptions | None = None,
    brain: BrainMask | None = None,
) -> NetworkInput:
    """Bring all modalities onto one grid around the brain, each interpolated once at most.

    What a modality does not show, because its image ends or is masked there, is zero like air and
    does not count in its normalisation.

    :param inputs: channels, spacing and normaliser of the network.
    :param window: static (D, H, W) of the network, see `model_grid.model_grid`.
    :param alignment: where modalities lie against the reference; default: as their headers say.
    :param brain: what the network is to see, on the reference's grid; default: all but air.
    """
    options = options or PreprocessingOptions()
    alignment = alignment or {}
    reference = study[study.reference]
    brain = brain or whole_head(reference)
    grid = model_grid(brain.mask, reference.grid, window, inputs.spacing_mm)
    mask, _ = resample(brain.mask.astype(np.float32), reference.grid, grid)
    inside = mask >= 0.5
    channels = {i: m for i, m in enumerate(_modalities(study, inputs)) if m in study}
    x = np.zeros((1, len(inputs.channels), *grid.shape), dtype=np.float32)
    availability = np.zeros((1, len(inputs.channels)), dtype=np.float32)
    interpolated: dict[Modality, bool] = {}
    coverage: dict[Modality, float] = {}

    def place(index: int) -> None:
        modality = channels[index]
        volume = study[modality]
        if modality in alignment:
            volume = volume.moved(alignment[modality].motion)
        placed = _place(volume, grid, inside)
        interpolated[modality] = placed.interpolated
        coverage[modality] = float(np.count_nonzero(placed.shown) / np.count_nonzero(inside))
        x[0, index] = _normalised(placed, modality, inputs, options)
        availability[0, index] = 1.0

    with ThreadPoolExecutor(len(channels)) as pool:
        list(pool.map(place, channels))
    record = Preprocessing(
        reference=study.reference,
        registration=options.registration,
        alignment=dict(alignment),
        resampled={m: interpolated[m] for m in study if m in interpolated},
        coverage={m: coverage[m] for m in study if m in coverage},
        bias_corrected=options.bias_correction,
        brain_extraction=options.brain_extraction,
        brain=brain.source,
        background_share=brain.background_share,
        foreground=brain.method,
        foreground_ml=float(np.count_nonzero(inside)) * grid.voxel_volume_mm3 / 1000.0,
        model_grid_shape=grid.size,
        model_grid_spacing_mm=grid.spacing,
    )
    return NetworkInput(x, availability, grid, record)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A volume on the model grid.

    :param values: NaN where it shows nothing.
    :param shown: where it shows the brain.
    """

    values: Array
    shown: NDArray[np.bool_]
    interpolated: bool


def _place(volume: Volume, grid: Grid, inside: NDArray[np.bool_]) -> _Placed:
    values, interpolated = resample(volume.array, volume.grid, grid, outside=np.nan)
    if is_masked(volume.array):
        values[values == 0.0] = np.nan
    return _Placed(values, inside & ~np.isnan(values), interpolated)


def _normalised(
    placed: _Placed, modality: Modality, inputs: Inputs, options: PreprocessingOptions
) -> Array:
    values, shown, normaliser = placed.values, placed.shown, inputs.normaliser
    if options.bias_correction:
        values = correct_bias(values, shown)
    elif isinstance(normaliser, ZScore) and normaliser.remove_shading:
        values = remove_shading(values, shown, inputs.spacing_mm, modality)
    return normalise(values, shown, normaliser)


def _modalities(study: Study, inputs: Inputs) -> list[Modality]:
    """Return the modality of every channel; a channel that takes any is given the reference."""
    return [
        study.reference if channel.modality == ANY else Modality(channel.modality)
        for channel in inputs.channels
    ]
