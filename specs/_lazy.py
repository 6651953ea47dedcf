"""Front doors that open no more than is asked for: a name's module is imported on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def lazy_names(
    package: str, where: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package that imports its modules on demand (PEP 562).

    A class of attrs takes a millisecond or two to make, and most programs need few of them.

    Args:
        package: The `__name__` of the package.
        where: Module -> the names of the package that are found there.

    Example:
        __getattr__, __dir__ = lazy_names(__name__, {"specs._host": ["HostSpec"]})
    """
    modules = {name: module for module, names in where.items() for name in names}

    def look_up(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def known() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return look_up, known
