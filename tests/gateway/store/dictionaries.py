"""One person's conversations as dictionaries: what the store must be indistinguishable from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any, Final, Literal

from chatkit.store import NotFoundError
from chatkit.types import ActiveStatus, ThreadStatus

from gateway.store import Beat, Entry, LeaseLost
from shared.errors import Problem
from tests.gateway.store.conversations import AFTERWARDS, hidden

MOST_ANSWERS: Final = 2
# The id of the note that a recovery leaves: the store makes one up.
NOTE: Final = "note"


@dataclass
class Lease:
    run: str
    partial: Any = None
    stop: bool = False
    expired: bool = False


@dataclass
class Thread:
    at: datetime
    number: int
    title: str | None = None
    by_user: bool = False
    status: ThreadStatus = field(default_factory=ActiveStatus)
    first_kept: str | None = None
    # item -> (instant, number of its insertion, the item)
    items: dict[str, tuple[datetime, int, Any]] = field(default_factory=dict)


@dataclass
class Shelf:
    """Each method is a call to the store, the leases, the entries or the votes, by its name there."""

    threads: dict[str, Thread] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    leases: dict[str, Lease] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    votes: dict[tuple[str, str], str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    # Threads

    def save_thread(self, key: str, at: datetime, title: str | None) -> None:
        if key in self.deleted:
            return
        thread = self.threads.setdefault(key, Thread(at, next(self.numbers)))
        if not thread.by_user:
            thread.title = title or thread.title

    def rename(self, key: str, title: str) -> str:
        thread = self._require(key)
        thread.title, thread.by_user = title, True
        return title

    def auto_title(self, key: str, title: str) -> str | None:
        self.save_thread(key, AFTERWARDS, title) if key in self.threads else None
        return self.threads[key].title if key in self.threads else None

    def set_status(self, key: str, status: ThreadStatus) -> None:
        self._require(key).status = status

    def delete_thread(self, key: str) -> None:
        self.leases.pop(key, None)
        if self.threads.pop(key, None) is not None:
            self.deleted.add(key)
            self.entries = {name: entry for name, entry in self.entries.items() if entry.thread_id != key}
            self.votes = {named: kind for named, kind in self.votes.items() if named[0] != key}

    def load_threads(self, limit: int, after: str | None, order: str) -> Any:
        keys = sorted(self.threads, key=lambda key: (self.threads[key].at, self.threads[key].number))
        return _page(keys, limit, after, order)

    # Items

    def add(self, key: str, new: Any, run: str | None) -> None:
        self._require_lease(key, run)
        old = self._require(key).items.get(new.id)
        if old is not None and not old[2].type == new.type == "workflow":
            raise Problem("conflict", "there")
        self.save(key, new, run)

    def save(self, key: str, new: Any, run: str | None) -> None:
        self._require_lease(key, run)
        items = self._require(key).items
        at, number = items[new.id][:2] if new.id in items else (new.created_at, next(self.numbers))
        items[new.id] = (at, number, new)

    def remove(self, key: str, item_id: str, run: str | None) -> None:
        if item_id in self._items(key) or run is not None:
            self._require_lease(key, run)
        self._items(key).pop(item_id, None)

    def truncate_after(self, key: str, item_id: str) -> list[Any]:
        items = self._items(key)
        if item_id not in items:
            raise NotFoundError
        removed = [name for name in self._in_order(key) if items[name][:2] > items[item_id][:2]]
        return [items.pop(name)[2] for name in removed]

    def forget_before(self, key: str, item_id: str) -> None:
        if item_id not in self._items(key):
            raise NotFoundError
        self.threads[key].first_kept = item_id

    def recent(self, key: str, limit: int) -> list[Any]:
        order, items = self._in_order(key), self._items(key)
        first = self.threads[key].first_kept if key in self.threads else None
        kept = order[order.index(first) :] if first in items else order
        return [items[name][2] for name in kept[::-1][:limit]]

    def load_items(self, key: str, limit: int, after: str | None, order: str, visible_only: bool) -> Any:
        items = self._items(key)
        seen = [name for name in self._in_order(key) if not (visible_only and "hidden" in items[name][2].type)]
        return _page(seen, limit, after, order)

    # Leases

    def take(self, key: str, run: str) -> None:
        self.recover(key)
        if key in self.deleted:
            raise NotFoundError
        if key in self.leases or sum(not lease.expired for lease in self.leases.values()) >= MOST_ANSWERS:
            raise Problem("busy", "another answer")
        self.leases[key] = Lease(run)

    def beat(self, key: str, run: str, partial: Any) -> Beat:
        lease = self.leases.get(key)
        if lease is None or lease.run != run:
            return Beat.LOST
        lease.partial, lease.expired = partial, False
        return Beat.STOP if lease.stop else Beat.GO

    def release(self, key: str, run: str) -> None:
        if key in self.leases and self.leases[key].run == run:
            del self.leases[key]

    def stop(self, key: str) -> bool:
        lease = self._living(key)
        if lease is not None:
            lease.stop = True
        return lease is not None

    def running(self, key: str) -> str | None:
        lease = self._living(key)
        if lease is None:
            return None
        return lease.partial.model_dump_json() if lease.partial is not None else ""

    def expire(self, key: str) -> None:
        if key in self.leases:
            self.leases[key].expired = True

    def recover(self, key: str) -> None:
        if key not in self.leases or not self.leases[key].expired:
            return
        partial = self.leases.pop(key).partial
        if key in self.threads:
            if partial is not None and partial.id not in self._items(key):
                self.save(key, partial, None)
            number = next(self.numbers)
            self._items(key)[f"{NOTE} {number}"] = (AFTERWARDS, number, hidden(NOTE))

    # Entries and votes

    def wait(self, entry: Entry, run: str | None) -> None:
        self._require_lease(entry.thread_id, run)
        if entry.thread_id not in self.threads:
            raise LeaseLost if run is not None else NotFoundError
        self.entries[entry.id] = entry

    def open(self, key: str) -> list[Entry]:
        waiting = [entry for entry in self.entries.values() if entry.thread_id == key and entry.status == "pending"]
        return sorted(waiting, key=lambda entry: (entry.expires_at, entry.id))

    def claim(self, key: str, status: str, now: datetime) -> Entry | None:
        entry = self.entries.get(key)
        return None if entry is None or entry.expires_at <= now else self.settle(key, status)

    def settle(self, key: str, status: str) -> Entry | None:
        entry = self.entries.get(key)
        if entry is None or entry.status != "pending":
            return None
        self.entries[key] = replace(entry, status=status)
        return self.entries[key]

    def vote(self, key: str, item_ids: Sequence[str], kind: str) -> None:
        for name in item_ids:
            if name not in self._items(key) or "hidden" in self._items(key)[name][2].type:
                raise NotFoundError
        self.votes.update({(key, name): kind for name in item_ids})

    # How

    def _require(self, key: str) -> Thread:
        if key not in self.threads:
            raise NotFoundError
        return self.threads[key]

    def _require_lease(self, key: str, run: str | None) -> None:
        if run is not None and (key not in self.leases or self.leases[key].run != run):
            raise LeaseLost

    def _living(self, key: str) -> Lease | None:
        lease = self.leases.get(key)
        return None if lease is None or lease.expired else lease

    def _items(self, key: str) -> dict[str, tuple[datetime, int, Any]]:
        return self.threads[key].items if key in self.threads else {}

    def _in_order(self, key: str) -> list[str]:
        items = self._items(key)
        return sorted(items, key=lambda name: items[name][:2])


def _page(names: list[str], limit: int, after: str | None, order: str | Literal["asc", "desc"]) -> Any:
    ordered = names if order == "asc" else names[::-1]
    if after is not None:
        if after not in ordered:
            raise NotFoundError
        ordered = ordered[ordered.index(after) + 1 :]
    page = [name.split()[0] for name in ordered[:limit]]
    return page, len(ordered) > limit
