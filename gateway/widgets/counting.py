"""How many things a write did what to, in words."""

from gateway.widgets.card import Say
from gateway.widgets.plain import plain
from gateway.widgets.reading import Values, inside, number


def counts_in_words(values: Values, say: Say) -> str:
    """How many of each, as in `2 completed, 1 unchanged`."""
    counts = inside(values, "counts")
    return ", ".join(_counted(name, number(counts, name), say) for name in list(counts)[:8] if number(counts, name))


def _counted(what: str, count: int, say: Say) -> str:
    match what:
        case "added":
            return say("{count} added", count=count)
        case "edited":
            return say("{count} edited", count=count)
        case "completed":
            return say("{count} completed", count=count)
        case "cancelled":
            return say("{count} cancelled", count=count)
        case "reopened":
            return say("{count} reopened", count=count)
        case "deleted":
            return say("{count} moved to the trash", count=count)
        case "restored":
            return say("{count} restored", count=count)
        case "reverted":
            return say("{count} taken back", count=count)
        case "not reverted":
            return say("{count} not taken back", count=count)
        case "created":
            return say("{count} created", count=count)
        case "updated":
            return say("{count} updated", count=count)
        case "unchanged":
            return say("{count} unchanged", count=count)
        case "skipped":
            return say("{count} skipped", count=count)
    return f"{count} {plain(what, 40)}"
