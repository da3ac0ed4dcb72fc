"""Asking the person: what ends a run is put to him, waits for a day, and goes on with the answer in any process."""

from gateway.asking.ask_person import ask_person
from gateway.asking.asking import Asking

__all__ = ["Asking", "ask_person"]
