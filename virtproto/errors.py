"""Every exception that virtproto raises of its own, drawn in one place.

::

    VirtprotoError
    ├── URIError                  a connection URI that cannot be used (also a ValueError)
    ├── UsageError                a call that cannot be made as asked (also a ValueError)
    │   └── ArgumentTypeError     an argument of a type that it cannot have (also a TypeError)
    ├── ProtocolError             bytes, or values for bytes, that break the protocol
    │   ├── EncodeError           a value that cannot be sent (also a ValueError)
    │   ├── DecodeError           a payload that does not hold what its type says
    │   ├── FramingError          a length word or header that cannot be
    │   └── SequenceError         a well-formed message that has no business here
    ├── TransportError            the road to the daemon
    │   ├── ConnectError          it could not be reached
    │   │   ├── SocketMissingError      no socket at that path
    │   │   ├── SocketPermissionError   a socket that this user may not open
    │   │   ├── SocketRefusedError      a socket that nobody listens on
    │   │   ├── HostNotFoundError       a host name without an address
    │   │   ├── TLSError                no agreement on TLS with the daemon
    │   │   │   └── CertificateError    a certificate, key or list that is missing, wrong or refused
    │   │   └── SSHConnectError         ssh did not lead to the daemon
    │   │       └── HostKeyError        a host key that is unknown, or not the known one
    │   ├── ConnectionLostError   it broke: the peer closed, or reading failed
    │   ├── ConnectionClosedError it was closed on this side, or lost before this call
    │   └── DeadlineError         no answer in time (also a TimeoutError)
    ├── TransferError             a file or volume changed while it was moved
    ├── AuthenticationError       no way to authenticate that both sides know and trust
    │   └── CredentialsMissingError     nobody told the user name or password that it takes
    ├── ConfigFileError           a configuration file that cannot be used (also a ValueError)
    ├── RecordingError            no recording or capture that can be read (also a ValueError)
    ├── EventOverflowError        more events came than an iterator may keep
    └── LibvirtError              the daemon's answer to a call was an error
        └── NoSupportError        VIR_ERR_NO_SUPPORT (3)
            └── UnknownProcedureError  the daemon is older than the procedure

Each other error code of libvirt has a class below LibvirtError, too: NoDomainError (42),
OperationInvalidError (55) and so on. They are names of this module like those drawn, but their
code is printed into virtproto.libvirt_errors, which is loaded when the first of them is needed.

Apart from that this module imports nothing of the project, so that every layer may raise from it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto import libvirt_errors
    from virtproto.libvirt_errors import *  # noqa: F403

__all__ = [
    "VirtprotoError",
    "URIError",
    "UsageError",
    "ArgumentTypeError",
    "ProtocolError",
    "EncodeError",
    "DecodeError",
    "FramingError",
    "SequenceError",
    "TransportError",
    "ConnectError",
    "SocketMissingError",
    "SocketPermissionError",
    "SocketRefusedError",
    "HostNotFoundError",
    "TLSError",
    "CertificateError",
    "SSHConnectError",
    "HostKeyError",
    "ConnectionLostError",
    "ConnectionClosedError",
    "DeadlineError",
    "TransferError",
    "AuthenticationError",
    "CredentialsMissingError",
    "ConfigFileError",
    "RecordingError",
    "EventOverflowError",
    "LibvirtError",
    "NoSupportError",
    "UnknownProcedureError",
    "VIR_ERR_AUTH_FAILED",
    "VIR_ERR_NO_SUPPORT",
    "VIR_ERR_RPC",
    "error_class",
]
if TYPE_CHECKING:
    __all__ += libvirt_errors.__all__

# Codes of virErrorNumber that the client itself must tell apart (virterror.h).
VIR_ERR_NO_SUPPORT = 3
VIR_ERR_RPC = 39
VIR_ERR_AUTH_FAILED = 45


class VirtprotoError(Exception):
    """Root of every exception of virtproto's own; each can be copied and pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(cls: type[VirtprotoError], args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    """Return an exception as it was, without its __init__, whose keywords ``args`` lacks."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(fields)
    return error


class URIError(VirtprotoError, ValueError):
    """A connection URI that cannot be used; the message names the part at fault."""


class UsageError(VirtprotoError, ValueError):
    """A call that cannot be made as asked; nothing was sent."""


class ArgumentTypeError(UsageError, TypeError):
    """An argument of a type that the parameter cannot take; nothing was sent."""


class ProtocolError(VirtprotoError):
    """Bytes, or values meant to become bytes, that break the protocol.

    ``offset`` is the position in bytes in the payload (or packet) where the fault was seen,
    ``path`` the field ("doms[3].name"); either is None where there is none to name.
    """

    def __init__(self, message: str, *, offset: int | None = None, path: str | None = None) -> None:
        place = ""
        if path:
            place = f"{path}: "
        if offset is not None:
            place = f"byte {offset}: {place}"
        super().__init__(place + message)
        self.reason = message
        self.offset = offset
        self.path = path


class EncodeError(ProtocolError, ValueError):
    """A value that its XDR type cannot carry; nothing was sent."""


class DecodeError(ProtocolError):
    """A payload that does not hold what its type says; only the call that asked is affected."""


class FramingError(ProtocolError):
    """A length word or header that no libvirt peer writes; the connection cannot go on."""


class SequenceError(ProtocolError):
    """A well-formed message that has no business at this point of the conversation."""


class TransportError(VirtprotoError):
    """Something on the road between this process and the daemon."""


class ConnectError(TransportError):
    """The daemon could not be reached."""


class SocketMissingError(ConnectError):
    """There is no socket at the path: the daemon is not running, or listens elsewhere."""


class SocketPermissionError(ConnectError):
    """There is a socket, but this user may not open it."""


class SocketRefusedError(ConnectError):
    """Nothing listens there: a socket file without its daemon, or a port of a host without one."""


class HostNotFoundError(ConnectError):
    """The host that the URI names has no address."""


class TLSError(ConnectError):
    """TLS came to nothing: no common version or cipher, or the peer does not speak it."""


class CertificateError(TLSError):
    """A certificate, key or list is missing, wrong, or was refused by one side.

    The message names the file, or says which side refused what.
    """


class SSHConnectError(ConnectError):
    """ssh did not lead to the daemon; the message holds what it said."""


class HostKeyError(SSHConnectError):
    """The host's key is not known, or is not the one that is known."""


class ConnectionLostError(TransportError):
    """The connection broke: the peer closed it, or the socket failed, or nothing came for too long.

    ``may_have_run`` tells what became of the call: True where any of it may have reached the
    daemon, which may have done all, some or nothing of it; the call was not made again. False where
    nothing of it was sent: it can be made again without danger of doing something twice.
    """

    def __init__(self, message: str, *, may_have_run: bool = False) -> None:
        super().__init__(message)
        self.may_have_run = may_have_run


class ConnectionClosedError(TransportError):
    """The connection was closed on this side, or had been lost before this call.

    ``may_have_run`` is True for a call that was under way when the connection was closed.
    """

    def __init__(self, message: str, *, may_have_run: bool = False) -> None:
        super().__init__(message)
        self.may_have_run = may_have_run


class DeadlineError(TransportError, TimeoutError):
    """The daemon did not answer in the time allowed."""


class TransferError(VirtprotoError):
    """A file or volume changed while it was moved, or less came than there should be.

    What was moved is not the whole, and does not pass for it: an upload was aborted, and the
    volume's content is to be taken for lost; of a download nothing is left.
    """


class AuthenticationError(VirtprotoError):
    """The daemon asks for an authentication that this side cannot give, or ought not to."""


class CredentialsMissingError(AuthenticationError):
    """The daemon asks for a user name or password that nobody told.

    They come from ``auth.conf``, or from what ``open`` is given as ``credentials``.
    """


class ConfigFileError(VirtprotoError, ValueError):
    """A configuration file cannot be used; the message names the file and the line or key."""


class RecordingError(VirtprotoError, ValueError):
    """What was to be read is no recording, or is damaged; the message says where, and how.

    ``offset`` is the byte of the file at which reading stopped, None where no byte is at fault.
    """

    def __init__(self, reason: str, *, offset: int | None = None) -> None:
        self.reason = reason
        self.offset = offset
        super().__init__(reason if offset is None else f"byte {offset}: {reason}")


class EventOverflowError(VirtprotoError):
    """More events came for an iterator than it may keep, and it was to say so and end."""


class LibvirtError(VirtprotoError):
    """The daemon answered a call with an error; every field of the wire error is here.

    ``code`` is a ``constants.ErrorNumber``, ``domain`` a ``constants.ErrorDomain`` (which part of
    libvirt spoke), ``level`` a ``constants.ErrorLevel``: plain ints, since a newer daemon may have
    numbers without a name. ``str1`` is the untranslated message template and ``str2`` and ``str3``
    what filled it, ``int1`` the errno where there was one (else -1). ``procedure`` names the call
    ("DOMAIN_GET_INFO"). ``object`` is the Domain, Network or the like whose method made the call,
    or None; copies and pickles of the error are without it.
    Source: virNetMessageError.
    """

    object: Any = None

    def __init__(
        self,
        message: str | None,
        *,
        code: int,
        domain: int = 0,
        level: int = 2,
        str1: str | None = None,
        str2: str | None = None,
        str3: str | None = None,
        int1: int = -1,
        int2: int = -1,
        procedure: str | None = None,
    ) -> None:
        super().__init__(message or "the daemon gave no reason")
        self.message = message
        self.code = code
        self.domain = domain
        self.level = level
        self.str1 = str1
        self.str2 = str2
        self.str3 = str3
        self.int1 = int1
        self.int2 = int2
        self.procedure = procedure

    def __reduce__(self) -> tuple[Any, ...]:
        # The object has a connection, and that belongs to this process.
        fields = {name: value for name, value in self.__dict__.items() if name != "object"}
        return _restored, (type(self), self.args, fields)


class NoSupportError(LibvirtError):
    """The driver behind this connection cannot do this at all.

    Another driver may, or a newer daemon; the call will not succeed here.
    Source: VIR_ERR_NO_SUPPORT (3).
    """


class UnknownProcedureError(NoSupportError):
    """The daemon does not know the procedure; ``since`` is the libvirt release that brought it.

    It is a bound ("<=7.0.0") where only that is known, None where nothing is. ``message`` is the
    daemon's own, ``str`` says more; ``code`` is VIR_ERR_NO_SUPPORT as in libvirt's client, where
    the wire had VIR_ERR_RPC.
    """

    since: str | None = None


def error_class(code: int) -> type[LibvirtError]:
    """Return the exception class for a virErrorNumber; LibvirtError itself for an unknown one."""
    from virtproto.libvirt_errors import ERROR_CLASSES

    return ERROR_CLASSES.get(code, LibvirtError)


if not TYPE_CHECKING:

    def __getattr__(name):
        if name.endswith("Error"):
            from virtproto.libvirt_errors import ERROR_CLASSES

            for each in ERROR_CLASSES.values():
                if each.__name__ == name:
                    return globals().setdefault(name, each)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        from virtproto.libvirt_errors import __all__ as names

        return sorted({*globals(), *names})
