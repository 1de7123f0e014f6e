"""From a URI to a road that a client is then led onto, while the loop goes on carrying.

Responsible for making roads on threads of their own, and for being let in by daemons where a client
could not do it himself. Must not know who the clients are or where they came from.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from virtproto.sync.connecting import AnyCredentials

    from .carriage import Carriage

__all__ = ["Destination"]


class Destination:
    """Where clients are led: what a URI means here, reached anew for each of them."""

    def __init__(
        self,
        uri: str | None,
        *,
        readonly: bool = False,
        authenticate: bool | None = None,
        credentials: AnyCredentials | None = None,
        timeout_s: float | None = 10.0,
    ) -> None:
        """Resolve ``uri`` as `virtproto.open` does; raises URIError, ConfigFileError, UsageError.

        ``authenticate`` has the proxy be let in by the daemon itself, with ``credentials``, before
        a client's first byte passes; None leaves that to the client, but where the road is open to
        others (plain TCP) and the daemon wants SASL: a client on a unix socket would not agree on
        what has to protect that road. ``timeout_s`` bounds each step.
        """
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What messages call it, without anything secret."""
        raise NotImplementedError

    def lead(
        self,
        carriage: Carriage,
        client: socket,
        about: dict[str, object],
        failed: Callable[[str], object] | None = None,
    ) -> None:
        """Make a road on a thread, then have ``carriage`` add the conversation over it.

        ``client`` is this method's to keep or close. Where there is no road it is closed, and the
        reason told by `Carriage.fail`, and to ``failed`` in the loop.
        """
        raise NotImplementedError
