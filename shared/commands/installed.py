"""Which services are installed here, found by their entry points so that none has to be imported to be named."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from shared.errors import Problem
    from shared.service import Service

GROUP: Final = "taskgate.services"


def every_service() -> list["Service"]:
    """Every service whose package is here: an image lists both and holds one."""
    found = installed()
    if not found:
        raise _missing("service")
    return [point.load() for _, point in sorted(found.items())]


def named_service(name: str) -> "Service":
    """One service, without loading any other."""
    found = installed()
    if name not in found:
        raise _missing(f"service named {name}")
    service: Service = found[name].load()
    return service


def installed() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    points = {point.name: point for point in entry_points(group=GROUP)}
    return {name: point for name, point in points.items() if find_spec(point.module.partition(".")[0])}


def _missing(what: str) -> "Problem":
    from shared.errors import Problem

    return Problem("disabled", f"no {what} is installed here", "install taskgate with its extra `all`")
