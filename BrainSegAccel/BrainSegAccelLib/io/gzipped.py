"""Gzip data, taken only whole and with the right checksum."""

from __future__ import annotations

import zlib
from pathlib import Path

from ..errors import InputError

MAGIC = b"\x1f\x8b"


def unpack(packed: bytes, path: Path) -> bytes:
    """Return the decompressed bytes of one or several gzip members.

    :param path: the file they come from, for messages.
    :raises InputError: truncated, or the checksum does not agree.
    """
    parts = []
    while packed:
        member = zlib.decompressobj(wbits=31)  # 31: gzip wrapper, whose checksum is verified
        try:
            parts.append(member.decompress(packed))
        except zlib.error as error:
            raise InputError(
                "corrupt gzip data", where=str(path), remedy="copy or export the file again"
            ) from error
        if not member.eof:
            raise InputError(
                "truncated gzip data", where=str(path), remedy="copy or export the file again"
            )
        packed = member.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)
