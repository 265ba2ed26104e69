"""Brain tumour segmentation on MR: the library under the Slicer module and the command line.

Research software, not a medical device.
"""

__version__ = "0.1.0"
