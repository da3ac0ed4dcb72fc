"""What an answer has already done when its question is answered once more: the tasks it changed stay changed."""

from collections.abc import Callable, Sequence
from typing import Final

from chatkit.types import HiddenContextItem, ThreadItem

OUTPUT_SHOWN: Final = 300
MOST_SHOWN: Final = 20


def done_before(removed: Sequence[ThreadItem], writes: Callable[[str], bool]) -> str | None:
    """The writes among the calls that were removed, as a note for the model; None when there were none."""
    done = []
    for item in removed:
        if not isinstance(item, HiddenContextItem) or not isinstance(item.content, dict):
            continue
        record = item.content.get("run_items") or []
        if len(record) == 2 and writes(str(record[0].get("name"))):
            output = str(record[1].get("output", ""))
            done.append(f"{record[0].get('name')} -> {output[:OUTPUT_SHOWN]}")
    if not done:
        return None
    shown = done[:MOST_SHOWN]
    more = f"\nand {len(done) - len(shown)} more" if len(done) > len(shown) else ""
    return "An earlier attempt at this answer already did the following, and it is still in effect:\n" + (
        "\n".join(shown) + more
    )
