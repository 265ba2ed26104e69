"""DICOM: folders sorted, the four sequences recognised, slices made a volume, DICOM SEG written.

Headers are read by pydicom, which sees into sequences (enhanced multi-frame); voxels by GDCM in
SimpleITK, which decodes every transfer syntax without further packages.
"""
