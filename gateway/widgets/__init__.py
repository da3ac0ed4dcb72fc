"""Cards from tool results: what a person sees of them, and which of their buttons count. It calls nobody."""

from gateway.widgets.card import Call, Card, Say, is_older, widget_item
from gateway.widgets.confirming import AskedCall, Verdict, confirm_card, verdict_card
from gateway.widgets.offers import Offer, offered
from gateway.widgets.reading import effect, named
from gateway.widgets.views import render

__all__ = [
    "AskedCall",
    "Call",
    "Card",
    "Offer",
    "Say",
    "Verdict",
    "confirm_card",
    "effect",
    "is_older",
    "named",
    "offered",
    "render",
    "verdict_card",
    "widget_item",
]
