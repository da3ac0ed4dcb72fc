"""What people mean, found by rules: a message, and what was shown before it, become one wish."""

from collections.abc import Sequence
from typing import Final

from gateway.offline.adding import added, captured, intended
from gateway.offline.changing import arranged, changed, imported
from gateway.offline.charting import charted
from gateway.offline.looking import listed, searched, shown, surveyed
from gateway.offline.manners import small_talk, without_courtesy, without_ending
from gateway.offline.naming import Listed, untagged
from gateway.offline.when import due_alone
from gateway.offline.wishes import Add, Plan, Topic, Wish

LONGEST_REQUEST: Final = 500  # what is longer can only be things to add

PLAN: Final = "plan"
CAPTURE: Final = "capture"
CHART: Final = "chart"


def understand(text: str, before: Sequence[Listed] = (), mode: str = "") -> Wish:
    """What `text` wishes for, after tasks were shown and where the person chose one of these modes."""
    text = untagged(text)
    said = without_courtesy(text)
    if mode == CAPTURE:
        return captured(text) or Topic.WHAT_TO_ADD
    if len(said) > LONGEST_REQUEST:
        return added(text) or intended(text) or Topic.UNKNOWN
    if topic := small_talk(said):
        return topic
    if mode == CHART:
        return charted(said, is_chosen=True) or Topic.WHICH_CHART
    wish = _wish(text, said, before)
    if mode == PLAN and (wish is None or (isinstance(wish, Add) and not added(text))):
        return Plan(due_alone(said))
    return wish or Topic.UNKNOWN


def _wish(text: str, said: str, before: Sequence[Listed]) -> Wish | None:
    # "Can you finish T3?" asks for it; without the courtesy it only asks about it.
    is_question = said.endswith("?") and said == " ".join(text.split())
    return (
        arranged(said)
        or imported(said)
        or added(text)
        or surveyed(said)
        or charted(said)
        or shown(said)
        or listed(said)
        or (None if is_question else changed(without_ending(said.rstrip("? ")), before))
        or searched(said)
        or intended(text)
    )
