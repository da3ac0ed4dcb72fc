"""The tables of the gateway: conversations and browser sign-ins. This page is its data model.

`owner` is issuer and subject in one string and leads every key of a conversation, so a forged or colliding id can never
touch somebody else's row. Nothing refers to a thread by a foreign key: the lease of its first answer is older than it.

Threads and items are ordered by (`created_us`, `seq`). `seq` is one more than that of the row before it, which the
order index finds in one step: it keeps rows of the same microsecond in the order of their insertion, and that of the
newest item tells how many there are without counting them. A database sequence would tie all owners to one counter. Two
inserts at the same instant may draw the same number; `id` decides between them.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, MetaData, SmallInteger, Table, Text, text
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.types import TypeEngine

from shared.revocations import revocations_table

# Ids are compared byte by byte, whatever language the database sorts in.
KEY: Final = Text().with_variant(TEXT(collation="C"), "postgresql")
# Also for JSON: what ChatKit gave us must come back to the letter, and U+0000 is legal there but not in jsonb.
WORDS: Final = Text()
BIG: Final = BigInteger()

metadata: Final = MetaData(naming_convention={"pk": "pk_%(table_name)s"})


def _key(name: str) -> Column[Any]:
    return Column(name, KEY, primary_key=True)


def _required(name: str, kind: TypeEngine[Any], default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def _optional(name: str, kind: TypeEngine[Any]) -> Column[Any]:
    return Column(name, kind, nullable=True)


# Conversations ------------------------------------------------------------------------------------------------------

# A deleted thread stays as an empty row for a while, so that a late answer cannot bring it back to life.
chat_threads = Table(
    "chat_threads",
    metadata,
    _key("owner"),
    _key("id"),
    _required("seq", BIG),
    _required("created_us", BIG),
    _optional("title", WORDS),
    _required("title_by", WORDS, "'none'"),  # `none`, `auto` or `user`: an automatic title never replaces a person's
    _required("status", WORDS),
    _required("data", WORDS),
    _optional("history_from", KEY),  # the first item the model still sees; it moves rarely, so prompt caches hit
    _optional("deleted_us", BIG),
    Index("chat_threads_order", "owner", "created_us", "seq"),
)

chat_items = Table(
    "chat_items",
    metadata,
    _key("owner"),
    _key("thread_id"),
    _key("id"),
    _required("seq", BIG),
    _required("created_us", BIG),
    _required("kind", WORDS),
    _required("data", WORDS),
    _optional("trace_id", WORDS),  # the request whose answer it is part of
    Index("chat_items_order", "owner", "thread_id", "created_us", "seq"),
)

chat_feedback = Table(
    "chat_feedback",
    metadata,
    _key("owner"),
    _key("thread_id"),
    _key("item_id"),
    _required("kind", WORDS),
    _required("at_us", BIG),
    _optional("trace_id", WORDS),
)

# The bytes are kept elsewhere under the id; the row is forgotten after them. Once in a message, a file stays with its
# thread.
chat_attachments = Table(
    "chat_attachments",
    metadata,
    _key("owner"),
    _key("id"),
    _required("data", WORDS),
    _required("state", WORDS, "'waiting'"),  # `waiting`, `arriving`, `ready` or `deleted`
    _required("size_bytes", BIG, "0"),  # as announced, until the bytes are there
    _required("created_us", BIG, "0"),
    _optional("thread_id", KEY),
    Index("chat_attachments_thread", "owner", "thread_id"),
)

# What one person uses up, in one row: it begins again with each day, and within it with each minute.
chat_usage = Table(
    "chat_usage",
    metadata,
    _key("owner"),
    _required("day", BIG),  # days and minutes since 1970, in UTC
    _required("tokens", BIG),
    _required("minute", BIG),
    _required("turns", BIG),
)


# Answers being written ----------------------------------------------------------------------------------------------

# The lease of a running answer: one per thread, held by `run_id` until `expires_us`. Another tab or process stops the
# answer by setting `stop`; `partial` is what a crash leaves of it.
chat_turns = Table(
    "chat_turns",
    metadata,
    _key("owner"),
    _key("thread_id"),
    _required("run_id", WORDS),
    _required("started_us", BIG),
    _required("expires_us", BIG),
    _required("stop", SmallInteger(), "0"),
    _optional("partial", WORDS),
)

# A question the person has yet to answer, and the state of the run that waits for it.
chat_pending = Table(
    "chat_pending",
    metadata,
    _key("owner"),
    _key("id"),
    _required("thread_id", KEY),
    _required("item_id", KEY),
    _required("kind", WORDS),  # `approval` or `question`
    _required("status", WORDS),
    _required("expires_us", BIG),
    _required("data", WORDS),
)


# Browser sign-ins ---------------------------------------------------------------------------------------------------

# The cookie holds a random id and this table only its hash: reading the table signs nobody in. Whose session it is
# never changes; how long that counts as proven does, each time the issuer renews it.
sessions = Table(
    "sessions",
    metadata,
    _key("id_hash"),
    _required("issuer", WORDS),
    _required("subject", WORDS),
    _required("scopes", WORDS),
    _required("client_id", WORDS),
    _required("created_us", BIG),
    _required("expires_us", BIG),
    _required("idle_us", BIG),  # when it was last used, to the minute
    _optional("name", WORDS),
    _optional("session_id", WORDS),  # the issuer's own name for the sign-in, and the id of the token it came from:
    _optional("token_id", WORDS),  # whoever revokes one of them revokes the session
    _required("issued_us", BIG, "0"),
    _optional("verified_until_us", BIG),  # without it, to the end
    _optional("refresh_token", WORDS),  # sealed
    _required("renewing_until_us", BIG, "0"),  # until then one process alone may use the refresh token
)


# Who is turned away -------------------------------------------------------------------------------------------------

revocations = revocations_table("gateway", metadata)
