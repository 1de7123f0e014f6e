"""Names that carry meaning in the .x files: procedure enums, message structs, annotations.

Source: the naming that libvirt's own generator relies on. Knows names only, no tables.
"""

from __future__ import annotations

__all__ = [
    "ANNOTATION_KEYS",
    "EXTERNALS_FILE",
    "FILE_ORDER",
    "IGNORED_ANNOTATIONS",
    "MESSAGE_ROLES",
    "is_procedure_enum",
    "message_key",
    "message_name",
    "program_name",
    "short_name",
]

# The files of the contract, each after those whose types it uses.
FILE_ORDER = (
    "virnetprotocol.x",
    "virkeepaliveprotocol.x",
    "remote_protocol.x",
    "qemu_protocol.x",
    "lxc_protocol.x",
    "admin_protocol.x",
)

# Constants that libvirt's C headers define and its .x files use.
EXTERNALS_FILE = "externals.x"

# What an annotation may say, in the order in which the writer prints it.
ANNOTATION_KEYS = ("priority", "readstream", "writestream", "sparseflag", "acl", "aclfilter")

# @generate tells which C stubs libvirt makes by machine; it says nothing about the wire.
IGNORED_ANNOTATIONS = frozenset({"generate"})

MESSAGE_ROLES = ("args", "ret", "msg")


def is_procedure_enum(name: str) -> bool:
    """Tell whether an enum of this name numbers procedures (remote_procedure, virXProcedure)."""
    return name.endswith(("_procedure", "Procedure"))


def program_name(enum: str) -> str:
    """Return what stands before "procedure": "remote" for remote_procedure."""
    return enum.removesuffix("_procedure").removesuffix("Procedure")


def short_name(procedure: str) -> str:
    """Return a procedure's name without its program: DOMAIN_GET_INFO."""
    _, found, short = procedure.partition("_PROC_")
    return short if found else procedure


def message_name(enum: str, procedure: str, role: str) -> str:
    """Return what the struct of a role ("args", "ret", "msg") of a procedure is called.

    remote_procedure gives remote_domain_get_info_ret, a virXProcedure enum virXDomainGetInfoRet;
    to be compared by ``message_key``.
    """
    program, short = program_name(enum), short_name(procedure)
    if enum.endswith("_procedure"):
        return f"{program}_{short.lower()}_{role}"
    return program + "".join(word.capitalize() for word in f"{short}_{role}".split("_"))


def message_key(enum: str, struct: str) -> str:
    """Return a struct's name as procedures find it: virX programs capitalise at will."""
    return struct if enum.endswith("_procedure") else struct.lower()
