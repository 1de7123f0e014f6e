"""What a daemon chose anew: numbers and objects of a recording, and those that stand in for them.

A daemon gives each registration a number, each object a UUID where its description has none, and a
running domain a number. Calls that were recorded later name those, and have to name the new ones.
Responsible for learning them from answers and for putting them into arguments. Must not know how
either travels.
"""

from __future__ import annotations

from virtproto.errors import DecodeError, EncodeError
from virtproto.wire import load_contract
from virtproto.xdr.reference import ReferenceCodec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["StandIns"]


class StandIns:
    """What stands for what, for one conversation."""

    def __init__(self, others: StandIns | None = None) -> None:
        """Begin with what ``others`` know of objects; what is learned of those, they learn too."""
        self._callbacks: dict[int, int] = {}
        self._uuids: dict[bytes, bytes] = {} if others is None else others._uuids
        self._numbers: dict[tuple[str, bytes], int] = {} if others is None else others._numbers

    def learn(self, recorded: Any, now: Any) -> None:
        """Compare two answers to the same call, as plain values, for what the daemon chose."""
        if isinstance(recorded, dict) and isinstance(now, dict):
            self._learn_fields(recorded, now)
        elif isinstance(recorded, list) and isinstance(now, list):
            theirs = {_name(each): each for each in now}
            for index, each in enumerate(recorded):
                name = _name(each)
                if name is not None:
                    self.learn(each, theirs.get(name))
                elif index < len(now):
                    self.learn(each, now[index])

    def applied(self, type_name: str, payload: bytes) -> bytes:
        """Return arguments that name what stands in; as they are where they cannot be read."""
        if not (self._callbacks or self._uuids or self._numbers):
            return payload
        codec = ReferenceCodec(load_contract())
        try:
            plain = codec.decode(type_name, payload)
            changed = self._changed(plain)
            return payload if changed == plain else codec.encode(type_name, changed)
        except (DecodeError, EncodeError):
            return payload

    def _learn_fields(self, recorded: dict[str, Any], now: dict[str, Any]) -> None:
        was, number = recorded.get("callbackID"), now.get("callbackID")
        if isinstance(was, int) and isinstance(number, int):
            self._callbacks[was] = number
        name, uuid, other = recorded.get("name"), recorded.get("uuid"), now.get("uuid")
        is_object = isinstance(uuid, bytes) and isinstance(other, bytes)
        if is_object and isinstance(name, str) and name == now.get("name"):
            if uuid != other:
                self._uuids[uuid] = other  # type: ignore[index, assignment]
            if isinstance(now.get("id"), int) and recorded.get("id") != now["id"]:
                self._numbers[name, uuid] = now["id"]  # type: ignore[index]
            return
        for key, value in recorded.items():
            if key in now:
                self.learn(value, now[key])

    def _changed(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._changed(each) for each in value]
        if not isinstance(value, dict):
            return value
        changed = {key: self._changed(each) for key, each in value.items()}
        uuid, name = value.get("uuid"), value.get("name")
        if isinstance(uuid, bytes):
            changed["uuid"] = self._uuids.get(uuid, uuid)
            if isinstance(name, str) and (name, uuid) in self._numbers:
                changed["id"] = self._numbers[name, uuid]
        number = value.get("callbackID")
        if isinstance(number, int):
            changed["callbackID"] = self._callbacks.get(number, number)
        return changed


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None
