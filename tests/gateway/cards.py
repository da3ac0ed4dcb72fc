"""What tests look for in cards."""

from typing import Any

from tests.living import Said


def cards_of(said: Said) -> list[dict[str, Any]]:
    """The cards of an answer as they look at its end."""
    cards: dict[str, dict[str, Any]] = {}
    for event in said.events:
        if event["type"] in {"thread.item.done", "thread.item.replaced"} and event["item"]["type"] == "widget":
            cards[event["item"]["id"]] = event["item"]
    return list(cards.values())


def actions_of(component: Any) -> list[dict[str, Any]]:
    """Every action that a card offers, in the order of its parts."""
    if isinstance(component, list):
        return [action for one in component for action in actions_of(one)]
    if not isinstance(component, dict):
        return []
    own = [value for name, value in component.items() if name.startswith("on") and isinstance(value, dict)]
    return own + actions_of(component.get("children"))


def pressed(card: dict[str, Any], tool: str) -> dict[str, Any]:
    """What a client sends when the first button of a card that calls this tool is pressed."""
    action = next(action for action in actions_of(card["widget"]) if action["payload"].get("tool") == tool)
    return {"type": action["type"], "payload": action["payload"]}
