"""Arguments that mean something on this machine: paths as seen from here, open descriptors.

Responsible for turning them into what the wire carries, or naming the parameter that cannot be.
Must not know: which call they are for.
"""

from __future__ import annotations

import os

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.arguments import listed, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class HasDescriptor(Protocol):
        """An open file, a socket: what has a descriptor."""

        def fileno(self) -> int:
            """Return the descriptor."""

    # A descriptor, or an object that has one.
    FileDescriptor = int | HasDescriptor

__all__ = ["to_fd", "to_fds", "to_path", "to_socket"]


def to_path(parameter: str, value: str) -> str:
    """Return a path as libvirt's own client sends it: absolute from here, and normalised.

    That is so for a daemon on another host as well.
    """
    if not to_text(parameter, value):
        raise UsageError(f"{parameter}: a path is required, not an empty text")
    try:
        absolute = os.path.abspath(value)
    except FileNotFoundError:
        raise UsageError(f"{parameter}: relative to a current directory that is gone") from None
    # Two slashes at the start mean something to POSIX, but not to libvirt.
    return to_text(parameter, "/" + absolute.lstrip("/"))


def to_fd(parameter: str, value: FileDescriptor) -> int:
    """Return the number of an open descriptor; an object that has one is as good."""
    return _number_of(parameter, value)


def to_socket(parameter: str, value: FileDescriptor) -> int:
    """Return the number of an open socket; an object that has one is as good."""
    return _number_of(parameter, value, socket=True)


def to_fds(parameter: str, values: Iterable[FileDescriptor]) -> list[int]:
    """Return the numbers of open descriptors, at most as many as one message carries."""
    from .descriptors import DESCRIPTORS_MAX

    found = listed(parameter, values, "files or descriptors", DESCRIPTORS_MAX)
    return [to_fd(f"{parameter}[{place}]", value) for place, value in enumerate(found)]


def _number_of(parameter: str, value: FileDescriptor, *, socket: bool = False) -> int:
    # What is here for paths is loaded by many methods, what is there by few.
    from .descriptors import open_descriptor

    number: object = value
    if not isinstance(value, int):
        try:
            number = value.fileno()
        except (AttributeError, TypeError, ValueError, OSError):
            raise ArgumentTypeError(
                f"{parameter}: expected an open file or descriptor, not {type(value).__name__}"
            ) from None
    return open_descriptor(parameter, number, socket=socket)
