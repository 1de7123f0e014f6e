"""libvirt's RPC protocol from pure Python.

``virtproto.open(uri)`` gives a blocking connection, ``await virtproto.aio.open(uri)`` one for
asyncio, ``virtproto.errors`` holds every exception. Importing this module loads none of them: each
name is fetched when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto import admin as admin
    from virtproto import aio as aio
    from virtproto import constants as constants
    from virtproto import errors as errors
    from virtproto import events as events
    from virtproto import libvirt_errors as libvirt_errors
    from virtproto import records as records
    from virtproto import sync as sync
    from virtproto import wire as wire
    from virtproto.errors import ArgumentTypeError as ArgumentTypeError
    from virtproto.errors import AuthenticationError as AuthenticationError
    from virtproto.errors import CertificateError as CertificateError
    from virtproto.errors import ConfigFileError as ConfigFileError
    from virtproto.errors import ConnectError as ConnectError
    from virtproto.errors import ConnectionClosedError as ConnectionClosedError
    from virtproto.errors import ConnectionLostError as ConnectionLostError
    from virtproto.errors import CredentialsMissingError as CredentialsMissingError
    from virtproto.errors import DeadlineError as DeadlineError
    from virtproto.errors import DecodeError as DecodeError
    from virtproto.errors import EncodeError as EncodeError
    from virtproto.errors import EventOverflowError as EventOverflowError
    from virtproto.errors import FramingError as FramingError
    from virtproto.errors import HostKeyError as HostKeyError
    from virtproto.errors import HostNotFoundError as HostNotFoundError
    from virtproto.errors import LibvirtError as LibvirtError
    from virtproto.errors import NoSupportError as NoSupportError
    from virtproto.errors import ProtocolError as ProtocolError
    from virtproto.errors import RecordingError as RecordingError
    from virtproto.errors import SequenceError as SequenceError
    from virtproto.errors import SocketMissingError as SocketMissingError
    from virtproto.errors import SocketPermissionError as SocketPermissionError
    from virtproto.errors import SocketRefusedError as SocketRefusedError
    from virtproto.errors import SSHConnectError as SSHConnectError
    from virtproto.errors import TLSError as TLSError
    from virtproto.errors import TransferError as TransferError
    from virtproto.errors import TransportError as TransportError
    from virtproto.errors import UnknownProcedureError as UnknownProcedureError
    from virtproto.errors import URIError as URIError
    from virtproto.errors import UsageError as UsageError
    from virtproto.errors import VirtprotoError as VirtprotoError
    from virtproto.libvirt_errors import *  # noqa: F403
    from virtproto.model.credentials import CredentialRequest as CredentialRequest
    from virtproto.model.credentials import Credentials as Credentials
    from virtproto.model.credentials import CredentialType as CredentialType
    from virtproto.sync import Connection as Connection
    from virtproto.sync import Domain as Domain
    from virtproto.sync import DomainCheckpoint as DomainCheckpoint
    from virtproto.sync import DomainInfo as DomainInfo
    from virtproto.sync import DomainSnapshot as DomainSnapshot
    from virtproto.sync import DomainStateInfo as DomainStateInfo
    from virtproto.sync import Interface as Interface
    from virtproto.sync import Network as Network
    from virtproto.sync import NetworkPort as NetworkPort
    from virtproto.sync import NodeDevice as NodeDevice
    from virtproto.sync import NWFilter as NWFilter
    from virtproto.sync import NWFilterBinding as NWFilterBinding
    from virtproto.sync import Reconnect as Reconnect
    from virtproto.sync import Secret as Secret
    from virtproto.sync import StoragePool as StoragePool
    from virtproto.sync import StorageVol as StorageVol
    from virtproto.sync import Stream as Stream
    from virtproto.sync import open as open  # noqa: A004
    from virtproto.transport.deadline import deadline as deadline

__version__ = "0.1.0"

_MODULES = (
    "admin",
    "aio",
    "constants",
    "errors",
    "events",
    "libvirt_errors",
    "records",
    "sync",
    "wire",
)
_FRONT_END = (
    "open",
    "Connection",
    "Domain",
    "DomainCheckpoint",
    "DomainInfo",
    "DomainSnapshot",
    "DomainStateInfo",
    "Interface",
    "NWFilter",
    "NWFilterBinding",
    "Network",
    "NetworkPort",
    "NodeDevice",
    "Reconnect",
    "Secret",
    "StoragePool",
    "StorageVol",
    "Stream",
)
_CREDENTIALS = ("CredentialRequest", "CredentialType", "Credentials")
_ERRORS = (
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
)

__all__ = [
    "__version__",
    "deadline",
    *_MODULES,
    *_FRONT_END,
    *_CREDENTIALS,
    *_ERRORS,
]
if TYPE_CHECKING:
    __all__ += libvirt_errors.__all__


def __getattr__(name: str) -> object:
    if name in _MODULES:
        home = name
    elif name in _FRONT_END:
        home = "sync"
    elif name == "deadline":
        from virtproto.transport.deadline import deadline

        return globals().setdefault(name, deadline)
    elif name in _CREDENTIALS:
        from virtproto.model import credentials

        return globals().setdefault(name, getattr(credentials, name))
    elif name in _ERRORS or name.endswith("Error"):
        # Not all are listed: each error code of libvirt has a class, in a module loaded for them.
        home = "errors"
    else:
        raise AttributeError(f"module 'virtproto' has no attribute {name!r}")
    # Importing a submodule sets it here as well. importlib would be one more module to load.
    __import__(f"virtproto.{home}")
    if home != name:
        globals()[name] = getattr(globals()[home], name)
    value: object = globals()[name]
    return value


def __dir__() -> list[str]:
    from virtproto.libvirt_errors import __all__ as errors_by_code

    return sorted({*globals(), *__all__, *errors_by_code})
