"""Classes of many methods that load them room by room, when the first method of a room is used.

A program pays for the methods that it calls: loading all of a domain's would take longer than
opening the connection and making the first call. Once a room is loaded its methods are attributes
of the class like any others. Must not know: which methods there are, or what they do.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Furnished", "find_method", "load_rooms"]


class Furnished(type):
    """The type of a class whose ROOMS name further methods.

    ROOMS has, by module below ROOMS_PACKAGE, the class in it and the names of that class's methods,
    separated by spaces. The class itself has to look for missing attributes with ``find_method``.
    """

    ROOMS: dict[str, tuple[str, str]]
    ROOMS_PACKAGE: str

    def __getattr__(cls, name: str) -> Any:
        module = _room_of(cls, name)
        if module is None:
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return _load_method(cls, module, name)

    def __dir__(cls) -> list[str]:
        load_rooms(cls)
        return list(super().__dir__())


def find_method(obj: object, name: str) -> Any:
    """Return a method that a missing attribute of ``obj`` means; raise AttributeError otherwise.

    What is raised while its room is loaded goes through as it is.
    """
    cls: Any = type(obj)
    module = _room_of(cls, name)
    if module is None:
        raise AttributeError(f"{cls.__name__!r} object has no attribute {name!r}")
    return _load_method(cls, module, name).__get__(obj, cls)


def _room_of(cls: Furnished, name: str) -> str | None:
    """Return the module that has a method, None where no room has it."""
    # Nothing private is in a room; slots that are not set yet and copy's questions end here.
    if not name.startswith("_"):
        for module, (_, methods) in cls.ROOMS.items():
            if name in methods.split():
                return module
    return None


def _load_method(cls: Furnished, module: str, name: str) -> Any:
    load_room(cls, module)
    # The plain way, which does not come here again for what a room promises and has not.
    return type.__getattribute__(cls, name)


def load_rooms(cls: Furnished) -> None:
    """Load every room of a class: for who wants to see all that it has."""
    for module in cls.ROOMS:
        load_room(cls, module)


def load_room(cls: Furnished, module: str) -> None:
    """Make the methods of one room attributes of the class that has the rooms."""
    owner = next(each for each in cls.__mro__ if "ROOMS" in vars(each))
    name = cls.ROOMS[module][0]
    room = getattr(__import__(f"{cls.ROOMS_PACKAGE}.{module}", fromlist=[name]), name)
    for each, value in vars(room).items():
        if not each.startswith("_"):
            setattr(owner, each, value)
