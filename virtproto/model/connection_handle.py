"""What a connection of either colour is without its calls: what opening found, and its state.

Responsible for what costs no call: the URI, whether it is usable, the time limit for calls. Must
not know: how a call is made, or when.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError
from virtproto.model.refs import check_timeout
from virtproto.model.uri import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, Protocol

    from virtproto.errors import VirtprotoError
    from virtproto.model.recipes.opening import Opened

    class Way(Protocol):
        """What a connection of either colour needs of its channel's road here."""

        is_secure: bool
        is_encrypted: bool

    class Channel(Protocol):
        """What a connection of either colour needs of its channel here."""

        @property
        def is_open(self) -> bool:
            """Whether calls can be made, as far as is known."""

        @property
        def _road(self) -> Way:
            """What the way from here to the daemon is like."""

        def abandon(self) -> None:
            """Close what nobody closed, and warn."""

    class Line(Protocol):
        """What opens a connection anew, in either colour."""

        @property
        def state(self) -> str:
            """How the connection stands."""

        def keep_alive(self, interval_s: float, count: int) -> None:
            """Remember how to ask for signs of life."""

        def _refusal(self) -> VirtprotoError:
            """Return the error for who comes after the end."""


__all__ = ["ConnectionHandle"]


class ConnectionHandle:
    """What a connection remembers; the colours' ``Connection`` adds the calls."""

    # The colours say which class of channel theirs is.
    _channel: Channel
    # What opens it anew when it was lost, if it was opened to be.
    _line: Line | None = None

    def __init__(
        self, channel: Channel, opened: Opened, *, readonly: bool, long_calls: int | None = 4
    ) -> None:
        self._call_timeout_s: float | None = None
        self._channel = channel
        self._opened = opened
        self._readonly = readonly
        self._long_calls = long_calls
        self._type: str | None = None

    def __del__(self) -> None:
        # Absent where __init__ was not called as it wants to be.
        channel: Channel | None = getattr(self, "_channel", None)
        if channel is not None:
            channel.abandon()

    def __repr__(self) -> str:
        state = self.state
        shown_state = "" if state == "open" else f" {state}"
        return f"<{type(self).__name__} {shown(self._opened.uri)}{shown_state}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise ArgumentTypeError(
            "a connection can be neither pickled nor copied: it belongs to this process; open "
            "another one where it is needed"
        )

    @property
    def call_timeout_s(self) -> float | None:
        """How many seconds each call may take from now on, above 0.

        None, as at first, waits as long as the daemon takes. Setting it raises UsageError for what
        is neither.
        """
        return self._call_timeout_s

    @call_timeout_s.setter
    def call_timeout_s(self, seconds: float | None) -> None:
        check_timeout("call_timeout_s", seconds)
        self._call_timeout_s = seconds

    @property
    def long_calls(self) -> int | None:
        """How many long calls the daemon is given at a time, as ``open`` was told; None is any.

        One more may be under way if it is urgent, as told there.
        """
        return self._long_calls

    @property
    def state(self) -> str:
        """How the connection stands, as far as is known: "open", "reconnecting" or "closed".

        Only a connection opened with ``reconnect`` is ever "reconnecting": lost, and being opened
        anew; calls wait meanwhile. One that was lost for good is "closed" like one that was closed.
        """
        if self._line is not None:
            return self._line.state
        return "open" if self._channel.is_open else "closed"

    def is_alive(self) -> bool:
        """Return whether the connection is usable, as far as is known without asking the daemon.

        While a lost one is being opened anew it is not. Source: virConnectIsAlive.
        """
        return self.state == "open"

    def is_readonly(self) -> bool:
        """Return whether the connection was opened read-only."""
        return self._readonly

    def get_uri(self) -> str:
        """Return the connection's URI: as it was given, or as the daemon chose it.

        Source: virConnectGetURI; no call is made.
        """
        return self._opened.uri

    def _renew(self, opened: Opened) -> None:
        """Remember what opening it anew found, and nothing that another daemon said."""
        self._opened = opened
        self._type = None
        kept = vars(self)
        kept.pop("_features", None)
        kept.pop("_daemon_release", None)
