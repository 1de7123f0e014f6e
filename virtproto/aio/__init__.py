"""The front end for asyncio: ``open``, Connection, Domain; same names as in ``virtproto.sync``.

Connections belong to the event loop that opened them; in another their calls raise UsageError and
send nothing. Must not load the other front end.
"""

from __future__ import annotations

from collections.abc import Coroutine

from virtproto.aio.connection import Connection, open_connection_to
from virtproto.aio.domain import Domain
from virtproto.model.records.domain_info import DomainInfo, DomainStateInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Any

__all__ = ["Connection", "Domain", "DomainInfo", "DomainStateInfo", "open"]


class open(Coroutine["Any", "Any", Connection]):
    """Open a connection: ``conn = await open(uri)``, or ``async with open(uri) as conn``.

    What it returns is a coroutine, also for ``asyncio.create_task``, ``gather`` and ``wait_for``.

    ``uri`` is a libvirt connection URI ("qemu:///system", "test:///default?socket=/path"); None
    means ``LIBVIRT_DEFAULT_URI``, then the daemon's own choice. ``test:///default`` is the test
    driver of the system daemon, since this client has none in its own process. ``readonly`` asks
    for a connection that can change nothing. ``timeout_s`` bounds each step of opening, in seconds
    above 0; None waits for ever.

    Raises URIError, ConnectError (SocketMissingError, SocketPermissionError, SocketRefusedError),
    DeadlineError, AuthenticationError, LibvirtError (the driver refused), and ProtocolError or
    ConnectionLostError where the peer is no libvirt daemon. Source: virConnectOpen.
    """

    __slots__ = ("_connection", "_opening")
    __name__ = "open"  # asyncio shows it in a task's repr

    def __init__(
        self, uri: str | None = None, *, readonly: bool = False, timeout_s: float | None = 10.0
    ) -> None:
        self._opening = open_connection_to(uri, readonly=readonly, timeout_s=timeout_s)
        self._connection: Connection | None = None

    def __await__(self) -> Generator[Any, Any, Connection]:
        return self._opening.__await__()

    def send(self, value: Any, /) -> Any:
        """Go on with opening; the event loop does that."""
        return self._opening.send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with opening by raising an exception where it waits."""
        return self._opening.throw(*error)

    def close(self) -> None:
        """Give up opening; a connection that is open is closed by its own ``close``."""
        self._opening.close()

    async def __aenter__(self) -> Connection:
        self._connection = await self
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            await self._connection.close()
