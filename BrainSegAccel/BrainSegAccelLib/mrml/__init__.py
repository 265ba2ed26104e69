"""MRML nodes in and out: the only room that imports ``slicer`` and ``vtk``."""
