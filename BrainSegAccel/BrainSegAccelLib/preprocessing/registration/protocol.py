"""What registers one volume onto another."""

from __future__ import annotations

from typing import Protocol

from .pyramid import Pyramid
from .rigid import Matrix
from .settings import RegistrationSettings


class Registration(Protocol):
    """Finds the rigid motion between two volumes of one head, from a start that is near."""

    @property
    def settings(self) -> RegistrationSettings:
        """What it registers by; the search for its start and the evidence go by it too."""
        ...

    @property
    def workers(self) -> int:
        """How many pairs it may register side by side; 1 if only on the caller's thread."""
        ...

    def refine(self, fixed: Pyramid, moving: Pyramid, start: Matrix) -> Matrix:
        """Return the motion at which the two are most alike, near a start; the same every time.

        :param fixed: of the volume that stays; ``fixed.volume`` is the volume itself.
        :param start: 4x4, maps a point of the fixed volume to the same anatomy in the moving one,
            LPS mm.
        :returns: the same kind of matrix. Whether it is any good is judged by the caller.
        :raises RunError: it could not run.
        """
        ...
