"""A socket that clients come to by hand, each of whom is led to the same destination.

Responsible for the socket: where it may be, whose it is, and that nothing of it stays. Must not
know what clients and daemon say.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .carriage import Carriage
    from .reaching import Destination

__all__ = ["Listener"]


class Listener:
    """A socket that is listened on; a context manager that closes it and removes its path."""

    def __init__(self, address: str, *, mode: int = 0o600, to_all: bool = False) -> None:
        """Begin to listen.

        ``address`` is a path, ``@NAME`` for an abstract one, or ``tcp:HOST:PORT`` (port 0 for any
        free one), where HOST must be this machine's own loopback unless ``to_all``. ``mode`` are
        the permissions of a path. Raises UsageError for an address that is none or is in use; the
        socket that a dead process left behind is replaced.
        """
        raise NotImplementedError

    @property
    def address(self) -> str:
        """The address, with the port that was chosen."""
        raise NotImplementedError

    def attend(self, carriage: Carriage, destination: Destination) -> None:
        """Have whoever comes led to ``destination`` from now on, in the loop of ``carriage``."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening and remove the path, if it is still this socket's; may be called twice."""
        raise NotImplementedError
