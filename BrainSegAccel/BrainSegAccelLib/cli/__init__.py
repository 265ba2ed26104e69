"""The ``brainsegaccel`` command.

Modules of commands import nothing heavy at their top, so that ``--help`` answers at once; what a
command needs is imported when it runs.
"""
