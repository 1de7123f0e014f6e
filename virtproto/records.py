"""Every record that a method returns, by name; each is loaded when it is first used."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.records.domain_info import DomainInfo as DomainInfo
    from virtproto.model.records.domain_info import DomainStateInfo as DomainStateInfo

# Module of virtproto.model.records by record.
_HOMES = {
    "DomainInfo": "domain_info",
    "DomainStateInfo": "domain_info",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    try:
        module = f"virtproto.model.records.{_HOMES[name]}"
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value: object = getattr(__import__(module, fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
