"""What is kept of people: for how long, how they get it, and how all of it goes."""

from gateway.people.erasing import erase
from gateway.people.exporting import export
from gateway.people.own import export_own
from gateway.people.pruning import prune
from gateway.people.tidying import kept_tidy

__all__ = ["erase", "export", "export_own", "kept_tidy", "prune"]
