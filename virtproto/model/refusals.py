"""Refusals of this side that stand for the daemon's: the same error, without asking.

Responsible for what libvirt's own client refuses before it sends anything, and the daemon would
refuse as well: in every field but the words it is the error that libvirt's client makes.
"""

from __future__ import annotations

from virtproto.errors import error_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.errors import LibvirtError

__all__ = ["read_only"]

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


def _error_domain(method: str) -> int:
    of_a_domain = method.startswith("Domain.")
    name = method.lower()
    for word, number in _OF_A_DOMAIN if of_a_domain else _OF_ANYTHING:
        if word in name:
            return number
    return _DOMAIN
