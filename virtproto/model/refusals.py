"""Refusals of this side that stand for the daemon's: the same error, without asking.

Responsible for what libvirt's own client refuses before it sends anything, and the daemon would
refuse as well: in every field but the words it is the error that libvirt's client makes. And for
what the road to the daemon cannot carry, so that nobody there gets to refuse it.
"""

from __future__ import annotations

from virtproto.errors import UsageError, error_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.errors import LibvirtError
    from virtproto.xdr.procedure import Procedure

__all__ = ["no_descriptors", "read_only"]

# The method of each procedure that passes descriptors.
_PASSING = {
    "DOMAIN_CREATE_WITH_FILES": "Domain.create_with_files",
    "DOMAIN_CREATE_XML_WITH_FILES": "Connection.create_domain_with_files",
    "DOMAIN_FD_ASSOCIATE": "Domain.fd_associate",
    "DOMAIN_MONITOR_COMMAND_WITH_FILES": "Domain.qemu_monitor_command_with_files",
    "DOMAIN_OPEN_GRAPHICS": "Domain.open_graphics",
    "DOMAIN_OPEN_GRAPHICS_FD": "Domain.open_graphics_fd",
    "DOMAIN_OPEN_NAMESPACE": "Domain.lxc_open_namespace",
}

# virErrorNumber of libvirt's own refusal, and how it begins in every language but the reader's.
_OPERATION_DENIED = 29
_TEMPLATE = "operation forbidden: %s"

# virErrorDomain of the refusal, by a word in the method's name; the first that is there counts.
# What a domain has is refused by whom it is about, devices by who has them.
_OF_A_DOMAIN = (("snapshot", 35), ("checkpoint", 69), ("qemu", 0), ("lxc", 0))
_OF_ANYTHING = (
    *_OF_A_DOMAIN,
    ("network", 19),
    ("storage", 18),
    ("node_device", 22),
    ("nodedevice", 22),
    ("interface", 26),
    ("secret", 30),
    ("nwfilter", 33),
)
_DOMAIN = 20


def read_only(
    method: str, concerned: object | None = None, *, enum: str = "", asked: int = 0, where: str = ""
) -> LibvirtError:
    """Return the error for what a read-only connection may not do: ``method`` as "Class.method".

    Where others may be called like that, ``asked`` is the member of ``enum`` that is too much.
    ``where`` names the parameter that is the connection, if it is not the object's own.
    """
    detail = method
    if enum:
        from virtproto.constants import member

        found = member(enum, asked)
        detail += f" with {getattr(found, 'name', None) or found}"
    detail += f" while {where or 'the connection'} is read-only"
    error = error_class(_OPERATION_DENIED)(
        _TEMPLATE % detail,
        code=_OPERATION_DENIED,
        domain=_error_domain(method),
        str1=_TEMPLATE,
        str2=detail,
    )
    error.object = concerned
    return error


def no_descriptors(procedure: Procedure[Any, Any], road: str) -> UsageError:
    """Return the error for a call that passes descriptors on a road that cannot carry them."""
    return UsageError(
        f"{_PASSING.get(procedure.name, procedure.name)} passes file descriptors, which only a "
        f"unix socket on this machine carries; this connection goes over {road}"
    )


def _error_domain(method: str) -> int:
    of_a_domain = method.startswith("Domain.")
    name = method.lower()
    for word, number in _OF_A_DOMAIN if of_a_domain else _OF_ANYTHING:
        if word in name:
            return number
    return _DOMAIN
