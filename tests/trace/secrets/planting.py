"""Plain values of any type of the contract with a secret planted wherever one may be.

`Planter` walks the contract and not the plans of virtproto.trace.secrets: tests hold the two beside
each other. What it makes is the same at each run.
"""

from __future__ import annotations

from typing import Any

from virtproto.protocol.framing import Packet
from virtproto.trace.message import TracedMessage
from virtproto.wire import load_contract
from virtproto.xdr.contract import Member, Struct, Union

CONTRACT = load_contract()

# Fields of secrets.toml that are XML: their passwords are secret, the rest is not.
XML = frozenset({"xml", "xml_desc", "dxml", "dom_xml", "xmlin", "domainXml"})
SECURE = frozenset(
    {
        "remote_domain_get_xml_desc_ret",
        "remote_domain_save_image_get_xml_desc_ret",
        "remote_domain_managed_save_get_xml_desc_ret",
        "remote_domain_snapshot_get_xml_desc_ret",
        "remote_domain_checkpoint_get_xml_desc_ret",
    }
)
_BYTES = ("string", "opaque", "char", "unsigned char")


def payload_types() -> dict[str, tuple[int, int]]:
    """Return every type that is a payload, with a program and procedure that it is of."""
    found: dict[str, tuple[int, int]] = {"remote_error": (0x20008086, 1)}
    for number, _, rows in CONTRACT.programs.values():
        for row in rows:
            found |= {name: (number, row[0]) for name in row[2:5] if name is not None}
    return found


PAYLOADS = payload_types()


def message_of(
    type_name: str,
    payload: bytes,
    *,
    call: TracedMessage | None = None,
    masked: bool = False,
    kind: str = "reply",
) -> TracedMessage:
    """Return a message with a payload of a type, as a Follower would make it."""
    program, procedure = PAYLOADS[type_name]
    return TracedMessage(
        Packet(program, 1, procedure, 1, 1, 0, payload),
        conversation=1,
        number=1,
        from_client=False,
        time_s=0.0,
        kind=kind,
        type_name=type_name,
        call=call,
        masked=masked,
    )


class Planter:
    """Makes values with ``secret`` in them; ``whole`` and ``inside`` are the paths where it is."""

    def __init__(self, secret: str, *, secure: bool = True) -> None:
        self.secret = secret
        self.secure = secure
        self.whole: list[str] = []
        self.inside: list[str] = []

    def planted(self, type_name: str) -> Any:
        """Return a value of a struct, every optional present, every list with two elements."""
        return self._declared(Member("", type_name, "scalar", None), "", None)

    def _declared(self, member: Member, path: str, struct: Struct | None) -> Any:
        member = CONTRACT.resolve(member)
        element = Member(member.name, member.type, "scalar", None)
        if member.shape == "optional":
            return self._declared(element, path, struct)
        if member.type in _BYTES and member.shape != "scalar":
            return self._octets(member, path, struct)
        if member.shape == "scalar":
            return self._scalar(member, path)
        count = member.limit or 0 if member.shape == "fixed" else min(2, member.limit or 2)
        if member.type.endswith("_typed_param"):
            return self._parameters(path)
        return [self._declared(element, f"{path}[{n}]", struct) for n in range(count)]

    def _octets(self, member: Member, path: str, struct: Struct | None) -> Any:
        secret = struct is not None and member.name in struct.secrets
        text = member.type == "string"
        said = f"<domain><graphics passwd='{self.secret}'/></domain>"
        if secret and struct is not None and (not text or not self._is_xml(member, struct)):
            self.whole.append(path)
            said = self.secret
        elif member.name.startswith("cookie") and member.type == "opaque":
            self.whole.append(path)
        elif text and (struct is None or "nonnull" not in struct.name.lower()):
            self.inside.append(path)
        else:
            said = "plain"
        raw = said.encode()
        if member.shape == "fixed":
            size = member.limit or 0
            return raw[:size].ljust(size, b"\0")
        return said if text else raw

    def _is_xml(self, member: Member, struct: Struct) -> bool:
        if struct.name.startswith("remote_domain_migrate_"):
            return False
        return member.name in XML and not (self.secure and struct.name in SECURE)

    def _scalar(self, member: Member, path: str) -> Any:
        if member.type == "double":
            return 1.5
        target = CONTRACT.types.get(member.type)
        if target is None or target[0] == "enum":
            return 1
        kind = CONTRACT.type(member.type)
        if isinstance(kind, Struct):
            if kind.name.endswith("_typed_param"):
                return self._parameters(path)[0]
            return {
                each.name: self._declared(each, f"{path}.{each.name}".lstrip("."), kind)
                for each in kind.members
            }
        assert isinstance(kind, Union)
        self.inside.append(f"{path}.value".lstrip("."))
        return {"type": 7, "value": f"password='{self.secret}'"}

    def _parameters(self, path: str) -> list[dict[str, Any]]:
        """Return one of each secret parameter, a password of another name, and two of no secret."""
        names = [*sorted(CONTRACT.secret_parameters), "vnc.password"]
        first = f"{path}[{{}}].value.value".lstrip(".")
        self.whole += [first.format(n) for n in range(len(names))]
        self.inside.append(first.format(len(names)))
        values: list[tuple[str, int, str | int]] = [(name, 7, self.secret) for name in names]
        values += [("options", 7, f"password={self.secret}"), ("weight", 2, 500)]
        return [
            {"field": name, "value": {"type": kind, "value": value}} for name, kind, value in values
        ]
