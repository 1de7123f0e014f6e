"""What ``open`` can be told beside the URI: checks that name the parameter.

Responsible for refusing before anything is connected. Must not know what an option does.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError, UsageError
from virtproto.model.arguments import to_uint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.reconnecting import Reconnect

__all__ = [
    "check_interval",
    "check_keepalive",
    "check_long_calls",
    "check_reconnect",
    "check_trace",
]

# inspect.CO_COROUTINE, of a function's code.
_COROUTINE = 0x80

# The longest interval of keepalive, in seconds: libvirt counts them in 31 bits.
_INTERVAL_MAX_S = 0x7FFFFFFF


def check_interval(parameter: str, value: float) -> None:
    """Raise UsageError unless ``value`` is a number of seconds that keepalive can take."""
    if not isinstance(value, int | float):
        raise ArgumentTypeError(f"{parameter}: expected seconds, not {type(value).__name__}")
    # Written so that NaN is refused too.
    if not value <= _INTERVAL_MAX_S:
        raise UsageError(f"{parameter}: not a number of seconds up to {_INTERVAL_MAX_S}")


def check_keepalive(parameter: str, value: tuple[float, int] | None) -> None:
    """Raise UsageError unless ``value`` is an interval above 0 in seconds and a count, or None."""
    if value is None:
        return
    if not isinstance(value, tuple) or len(value) != 2:
        found = type(value).__name__
        if isinstance(value, tuple):
            found = f"a tuple of {len(value)}"
        raise ArgumentTypeError(
            f"{parameter}: expected a tuple of seconds and a count, or None, not {found}"
        )
    interval_s, count = value
    check_interval(f"{parameter}[0]", interval_s)
    if not interval_s > 0:
        raise UsageError(f"{parameter}[0]: {interval_s:g} is no interval above 0 seconds")
    to_uint(f"{parameter}[1]", count)


def check_long_calls(parameter: str, value: int | None) -> None:
    """Raise UsageError unless ``value`` is a number of calls above 0, or None for no limit."""
    if value is not None and to_uint(parameter, value) == 0:
        raise UsageError(f"{parameter}: with 0 no call could be made; None is no limit")


def check_reconnect(parameter: str, value: bool | Reconnect) -> None:
    """Raise ArgumentTypeError unless ``value`` is a Reconnect, True for the usual one, or False."""
    if isinstance(value, bool):
        return
    from virtproto.model.reconnecting import Reconnect

    if not isinstance(value, Reconnect):
        kind = type(value).__name__
        raise ArgumentTypeError(f"{parameter}: expected True, False or a Reconnect, not {kind}")


def check_trace(parameter: str, value: object) -> None:
    """Raise ArgumentTypeError unless ``value`` is a bool, None, a logger or a plain function."""
    if value is None or isinstance(value, bool):
        return
    if callable(value):
        if getattr(getattr(value, "__code__", None), "co_flags", 0) & _COROUTINE:
            raise ArgumentTypeError(f"{parameter}: nobody would wait for a coroutine function")
        return
    # As a logger, or what stands for one, has them.
    if not (hasattr(value, "isEnabledFor") and hasattr(value, "debug")):
        kind = type(value).__name__
        raise ArgumentTypeError(
            f"{parameter}: expected True, False, a logger or a function, not {kind}"
        )
