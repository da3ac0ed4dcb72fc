"""What the gateway keeps of conversations: threads, the leases of running answers, what waits for people, votes."""

from gateway.store.feedback import Feedback
from gateway.store.leases import Beat, Leases
from gateway.store.threads import LeaseLost, ThreadStore, new_id
from gateway.store.waiting import Entry, Waiting

__all__ = ["Beat", "Entry", "Feedback", "LeaseLost", "Leases", "ThreadStore", "Waiting", "new_id"]
