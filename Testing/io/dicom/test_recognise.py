"""Which sequence a series is, by what consoles of four vendors and anonymisers leave of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from BrainSegAccelLib.io.dicom.grouping import Group
from BrainSegAccelLib.io.dicom.header import Acquisition, Plane, Slice
from BrainSegAccelLib.io.dicom.recognise import by_times, contradiction, modality_of_series
from BrainSegAccelLib.study.modality import Modality

T1, T1C, T2, FLAIR = Modality.T1, Modality.T1C, Modality.T2, Modality.FLAIR
ORIGINAL = ("ORIGINAL", "PRIMARY", "M", "ND")


def group(acquisition: Acquisition, count: int = 20, folder: str = "S1", parts: int = 1) -> Group:
    axes = np.eye(3)[:2]
    return Group(
        tuple(
            Slice(
                file=Path(folder, f"{k}"),
                frame=None,
                instance=f"{k}",
                patient="p",
                study="s",
                series="r",
                series_number=3,
                space="f",
                shape=(256, 256),
                grey=True,
                plane=Plane(np.array([0.0, 0.0, 5.0 * k]), axes, (1.0, 1.0)),
                acquisition=acquisition,
                time_point=("", ""),
                scale=("", ""),
            )
            for k in range(count)
        ),
        parts,
    )


def named(description: str, **more: object) -> Acquisition:
    return Acquisition(texts=(description, ""), image_type=ORIGINAL, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("description", "modality"),
    [
        ("AX T1", T1),
        ("Ax T1 FSE +C", T1C),
        ("AX T1 C+ FS", T1C),
        ("SAG MPRAGE POST GAD", T1C),
        ("t1_mprage_tra_p2_iso KM", T1C),
        ("t1_mpr_sag_p2_iso", T1),
        ("T1 PRE", T1),
        ("sT1W_3D_TFE", T1),
        ("WIP sT1W_3D_TFE_KM", T1C),
        ("3D BRAVO +C", T1C),
        ("T1W_SE", T1),
        ("AX T2 TSE", T2),
        ("T2W_TSE", T2),
        ("t2_space_sag_p2_iso", T2),
        ("Ax T2 FLAIR FS", FLAIR),
        ("t2_tirm_tra_dark-fluid_320", FLAIR),
        ("T2W_FLAIR_CLEAR", FLAIR),
        ("3D_Brain_VIEW_FLAIR", FLAIR),
        ("Ax DWI b1000", None),
        ("ep2d_diff_3scan_trace_p2", None),
        ("ep2d_perf", None),
        ("Ax SWAN", None),
        ("t1 map", None),
        ("T1 POST SUB", None),
        ("3-plane loc", None),
        ("AAHead_Scout", None),
        ("TOF_3D_multi-slab", None),
        ("Survey", None),
        ("MIP T1 POST", None),
        ("", None),
    ],
)
def test_descriptions(description: str, modality: Modality | None) -> None:
    assert modality_of_series(group(named(description))) is modality


@pytest.mark.parametrize(
    ("acquisition", "modality"),
    [
        (Acquisition(echo_time=10, repetition_time=550), T1),
        (Acquisition(echo_time=2.3, repetition_time=2300, inversion_time=900), T1),
        (Acquisition(echo_time=3, repetition_time=8, gradient_echo=True), T1),
        (Acquisition(echo_time=9, repetition_time=2500, inversion_time=860), T1),
        (Acquisition(sequence_name="*tfl3d1_ns"), T1),
        (Acquisition(echo_time=95, repetition_time=5000), T2),
        (Acquisition(echo_time=408, repetition_time=3200), T2),
        (Acquisition(echo_time=95, repetition_time=5000, inversion_time=0), T2),
        (Acquisition(echo_time=120, repetition_time=9000, inversion_time=2500), FLAIR),
        (Acquisition(echo_time=388, repetition_time=5000, inversion_time=1800), FLAIR),
        (Acquisition(echo_time=20, repetition_time=3000), None),  # proton density
        (Acquisition(echo_time=20, repetition_time=28, gradient_echo=True), None),  # SWI
        (Acquisition(echo_time=25, repetition_time=700, gradient_echo=True), None),  # T2*
        (Acquisition(echo_time=60, repetition_time=5000, inversion_time=160), None),  # STIR
        (Acquisition(echo_time=90, repetition_time=7000, echo_planar=True), None),  # DWI
        (Acquisition(echo_time=90), None),
        (Acquisition(repetition_time=500), None),
        (Acquisition(), None),
    ],
)
def test_times_where_names_are_gone(acquisition: Acquisition, modality: Modality | None) -> None:
    assert by_times(acquisition) is modality
    assert modality_of_series(group(acquisition)) is modality


@pytest.mark.parametrize("agent", [False, True])
@pytest.mark.parametrize(
    ("description", "modality"), [("T1 PRE", T1), ("T1 KM", T1C), ("AX T1", None), ("", None)]
)
def test_names_go_before_the_contrast_agent(
    description: str, modality: Modality | None, agent: bool
) -> None:
    """Some consoles keep the agent in the headers of series from before it was given."""
    acquisition = named(description, echo_time=9, repetition_time=500, contrast_agent=agent)
    expected = modality or (T1C if agent else T1)
    assert modality_of_series(group(acquisition)) is expected


@pytest.mark.parametrize("name", ["T1c", "t1_post", "T1 KM"])
def test_a_folder_is_a_name_too(name: str) -> None:
    assert modality_of_series(group(Acquisition(), folder=name)) is T1C
    assert modality_of_series(group(named("t1_mprage"), folder=name)) is T1C
    assert modality_of_series(group(named("AX FLAIR"), folder=name)) is FLAIR


def test_the_protocol_name_counts_where_the_description_is_silent() -> None:
    acquisition = Acquisition(texts=("Ax brain", "T2W_TSE"))
    assert modality_of_series(group(acquisition)) is T2


@pytest.mark.parametrize(
    "kind", ["ADC", "LOCALIZER", "MIP", "PHASE MAP", "P", "SUBTRACTION", "TRACEW", "T1 MAP"]
)
def test_maps_and_projections_are_left_out_by_their_type(kind: str) -> None:
    acquisition = replace(named("AX T1"), image_type=("DERIVED", "PRIMARY", kind))
    assert modality_of_series(group(acquisition)) is None


def test_gradient_echo_t2_is_none_of_the_four() -> None:
    assert modality_of_series(group(named("t2_fl2d_tra", gradient_echo=True))) is None


def test_echoes_of_one_series_are_told_apart_by_their_times() -> None:
    for echo, modality in ((15, None), (100, T2)):
        acquisition = named("PD + T2 TSE", echo_time=echo, repetition_time=4000)
        assert modality_of_series(group(acquisition)) is modality


def test_dynamic_series_and_few_slices_are_left_out() -> None:
    assert modality_of_series(group(named("AX T1"), parts=4)) is T1
    assert modality_of_series(group(named("AX T1"), parts=40)) is None
    assert modality_of_series(group(named("AX T1"), count=4)) is None


def test_times_that_contradict_the_name_are_stated() -> None:
    times = {"echo_time": 95.0, "repetition_time": 5000.0}
    said = contradiction(group(named("AX T1", **times)), T1)
    assert said == "named like T1, but its echo and inversion times are T2's"
    assert contradiction(group(named("AX T2", **times)), T2) is None
    assert contradiction(group(named("AX T1")), T1) is None
    short = named("T1 KM", echo_time=9, repetition_time=500)
    assert contradiction(group(short), T1C) is None
