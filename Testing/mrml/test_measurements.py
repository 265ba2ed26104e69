from __future__ import annotations

from BrainSegAccelLib.mrml.measurements import put_row


def cells(table) -> list[list[str]]:
    columns = range(table.GetNumberOfColumns())
    return [
        [table.GetCellText(row, column) for column in columns]
        for row in range(table.GetNumberOfRows())
    ]


def test_a_row_replaces_that_of_its_configuration(scene):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    put_row(table, {"configuration": "a", "ΔDice ET": 0.5, "ΔDice WT": 0.25})
    put_row(table, {"configuration": "b", "ΔDice ET": 1.0, "ΔDice WT": 2.0})
    put_row(table, {"configuration": "a", "ΔDice ET": 3.0, "ΔDice WT": 4.0})
    assert [[row[0], *map(float, row[1:])] for row in cells(table)] == [["a", 3, 4], ["b", 1, 2]]


def test_figures_of_a_model_with_other_regions_are_not_taken_for_those_of_this_one(scene):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    put_row(table, {"configuration": "a", "ΔDice ET": 0.5, "ΔDice WT": 0.25})
    put_row(table, {"configuration": "b", "ΔDice lesion": 1.0, "ΔDice cavity": 2.0})
    assert [[row[0], *map(float, row[1:])] for row in cells(table)] == [["b", 1, 2]]
    assert [table.GetColumnName(c) for c in range(3)][1] == "ΔDice lesion"
