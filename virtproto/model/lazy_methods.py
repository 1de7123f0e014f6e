"""Classes of many methods that load them group by group, when the first method of a group is used.

A program pays for the methods that it calls: loading all of a domain's would take longer than
opening the connection and making the first call. Once a group is loaded its methods are attributes
of the class like any others. Must not know: which methods there are, or what they do.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["LazyMethods", "load_method", "load_groups"]


class LazyMethods(type):
    """The type of a class whose _METHOD_GROUPS name further methods.

    _METHOD_GROUPS has, by module below _METHODS_PACKAGE, the class in it and the names of that
    class's methods, separated by spaces. The class itself has to look for missing attributes with
    ``load_method``.
    """

    _METHOD_GROUPS: dict[str, tuple[str, str]]
    _METHODS_PACKAGE: str

    def __getattr__(cls, name: str) -> Any:
        module = _group_of(cls, name)
        if module is None:
            message = f"type object {cls.__name__!r} has no attribute {name!r}"
            # Name and object are what Python looks for near names by.
            raise AttributeError(message, name=name, obj=cls)
        return _load_method(cls, module, name)

    def __dir__(cls) -> list[str]:
        load_groups(cls)
        return list(super().__dir__())


def load_method(obj: object, name: str) -> Any:
    """Return a method that a missing attribute of ``obj`` means; raise AttributeError otherwise.

    What is raised while its group is loaded goes through as it is.
    """
    cls: Any = type(obj)
    module = _group_of(cls, name)
    if module is None:
        message = f"{cls.__name__!r} object has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=obj)
    return _load_method(cls, module, name).__get__(obj, cls)


def _group_of(cls: LazyMethods, name: str) -> str | None:
    """Return the module that has a method, None where no group has it."""
    # Nothing private is in a group; slots that are not set yet and copy's questions end here.
    if not name.startswith("_"):
        for module, (_, methods) in cls._METHOD_GROUPS.items():
            if name in methods.split():
                return module
    return None


def _load_method(cls: LazyMethods, module: str, name: str) -> Any:
    load_group(cls, module)
    # The plain way, which does not come here again for what a group promises and has not.
    return type.__getattribute__(cls, name)


def load_groups(cls: LazyMethods) -> None:
    """Load every group of a class: for who wants to see all that it has."""
    for module in cls._METHOD_GROUPS:
        load_group(cls, module)


def load_group(cls: LazyMethods, module: str) -> None:
    """Make the methods of one group attributes of the class that has the groups."""
    owner = next(each for each in cls.__mro__ if "_METHOD_GROUPS" in vars(each))
    name = cls._METHOD_GROUPS[module][0]
    group = getattr(__import__(f"{cls._METHODS_PACKAGE}.{module}", fromlist=[name]), name)
    for each, value in vars(group).items():
        if not each.startswith("_"):
            setattr(owner, each, value)
