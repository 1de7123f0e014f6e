"""From a URI to a road that a client is then led onto, while the loop goes on carrying.

Responsible for making roads on threads of their own, and for being let in by daemons where a client
could not do it himself. Must not know who the clients are or where they came from.
"""

from __future__ import annotations

from virtproto.errors import VirtprotoError
from virtproto.transport.elsewhere import do_elsewhere
from virtproto.transport.resolve import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable

    from virtproto.model.uri import ConnectionURI
    from virtproto.sync.connecting import AnyCredentials
    from virtproto.transport.elsewhere import Outcome
    from virtproto.transport.road import Road

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
        autostart: bool = False,
    ) -> None:
        """Resolve ``uri`` as `virtproto.open` does; raises URIError, ConfigFileError, UsageError.

        ``authenticate`` has the proxy be let in by the daemon itself, with ``credentials``, before
        a client's first byte passes; None leaves that to the client, but where the road is open to
        others (plain TCP) and the daemon wants SASL: a client on a unix socket would not agree on
        what has to protect that road. ``timeout_s`` bounds each step; ``autostart`` has a user's
        own daemon started where none runs.
        """
        self._text = uri
        self._readonly = readonly
        self._authenticate = authenticate
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._autostart = autostart
        # Clients whose road is being made.
        self._waiting: dict[int, socket] = {}
        self._count = 0
        self.name = resolve(uri, readonly=readonly)[1].name

    def road(self) -> tuple[Road, str | None]:
        """Return a new road, and what is to be told of how it was made; waits as long as it takes.

        Raises what `virtproto.open` raises before a connection is open.
        """
        from virtproto.sync.connecting import connect

        where, endpoint = resolve(self._text, readonly=self._readonly)
        road = connect(
            endpoint,
            self._timeout_s,
            credentials=self._credentials,
            autostart=self._autostart,
        )
        wanted = self._authenticate
        if wanted is None:
            wanted = not road.is_secure
        try:
            return road, self._be_let_in(road, where) if wanted else None
        except BaseException:
            road.leave()
            raise

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
        self._count += 1
        ticket = self._count
        self._waiting[ticket] = client

        def go_on(outcome: Outcome) -> None:
            carriage.from_thread(lambda: self._go_on(carriage, ticket, about, outcome, failed))

        do_elsewhere(self.road, (), go_on)

    def close(self) -> None:
        """Close the sockets of clients whose roads are not made yet, which they will not have."""
        while self._waiting:
            self._waiting.popitem()[1].close()

    def _go_on(
        self,
        carriage: Carriage,
        ticket: int,
        about: dict[str, object],
        outcome: Outcome,
        failed: Callable[[str], object] | None,
    ) -> None:
        """Have the client carried, or sent away."""
        client = self._waiting.pop(ticket, None)
        try:
            road, told = outcome.get()
        except VirtprotoError as error:
            why = f"{self.name} cannot be reached: {error}"
        except OSError as error:
            why = f"{self.name} cannot be reached: {error.strerror or error}"
        else:
            if client is None:
                road.leave()
                return
            number = carriage.add(client, road, about)
            if told is not None:
                carriage.note(told, number)
            return
        if client is not None:
            client.close()
            carriage.fail({"daemon": self.name, **about}, why)
            if failed is not None:
                failed(why)

    def _be_let_in(self, road: Road, where: ConnectionURI | None) -> str | None:
        """Do what the daemon wants before it listens to a client; return what to tell of it."""
        from virtproto.model.recipes.opening import be_let_in
        from virtproto.sync.authenticating import authenticate
        from virtproto.sync.calls import run_recipe
        from virtproto.sync.channel import Channel
        from virtproto.wire.remote.auth import AUTH_TYPE_NONE, AUTH_TYPE_SASL

        # It has nothing of its own when it is dropped: the road keeps the socket and the layer.
        channel = Channel(road)
        kind = run_recipe(channel, be_let_in(where), self._timeout_s)
        if kind == AUTH_TYPE_NONE or (self._authenticate is None and kind != AUTH_TYPE_SASL):
            return None
        authenticate(channel, road, kind, where, self._credentials, self._timeout_s)
        by = "SASL" if kind == AUTH_TYPE_SASL else "polkit"
        return f"authenticated by {by} here: the daemon asks the client for nothing more"
