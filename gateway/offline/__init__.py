"""A model that needs no key: rules that really call the tools on offer. First run, tests and benchmarks use it."""

from gateway.offline.model import OfflineModel

__all__ = ["OfflineModel"]
