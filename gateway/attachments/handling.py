"""`Attachments`: what a person may do with files, from the announcement of one to its removal.

Somebody else's file is the same as one that never existed, whoever asks and whatever for.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import uuid4

from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    AttachmentUploadDescriptor,
    FileAttachment,
    ImageAttachment,
    ThreadItem,
    UserMessageItem,
)
from pydantic import AnyUrl

from gateway.attachments import rows
from gateway.attachments.keeping import Keeping, gone
from gateway.attachments.kinds import KINDS, kind_of, recognised, require_size, shown_name
from gateway.attachments.proofs import Proofs
from gateway.attachments.rows import ARRIVING, READY, WAITING, Kept, Quota
from gateway.turn import Turn
from shared.db import Database
from shared.errors import Problem
from shared.tokens import Caller

PER_MESSAGE: Final = 10
# Each is held in memory until it is whole. One person sends as many as a message may bring.
UPLOADS_AT_ONCE: Final = 32


class Attachments:
    """The files of all people."""

    def __init__(self, database: Database, keeping: Keeping, proofs: Proofs, most: Quota | None = None) -> None:
        self._database = database
        self._keeping = keeping
        self._proofs = proofs
        self._most = most or Quota()
        self._uploads: Counter[str] = Counter()

    # What ChatKit asks for

    async def answer(self, asked: AttachmentsCreateReq | AttachmentsDeleteReq, turn: Turn) -> bytes:
        """The answer to a request of ChatKit's, as it goes out. Not the SDK's way: it would store the proof."""
        if isinstance(asked, AttachmentsDeleteReq):
            await self.remove(asked.params.attachment_id, turn)
            return b"{}"
        return (await self.create(asked.params, turn)).model_dump_json(by_alias=True, exclude_none=True).encode()

    async def create(self, announced: AttachmentCreateParams, turn: Turn) -> Attachment:
        """A new attachment whose bytes may be sent to the address in it. Raises `Problem`."""
        kind = kind_of(announced.name, announced.mime_type)
        require_size(kind, announced.size)
        key, name = f"atc_{uuid4().hex}", shown_name(announced.name)
        attachment: Attachment
        if kind.is_image:
            preview = AnyUrl(self._proofs.address(key))
            attachment = ImageAttachment(id=key, name=name, mime_type=kind.mime_type, preview_url=preview)
        else:
            attachment = FileAttachment(id=key, name=name, mime_type=kind.mime_type)
        async with self._database.begin(turn.caller, write=True) as tx:
            if not await rows.add(tx, attachment, announced.size, self._most):
                raise Problem("quota", "you have attached too many files", "send or remove some, or delete old ones")
        url = AnyUrl(self._proofs.proving("upload", key, turn.caller))
        upload = AttachmentUploadDescriptor(url=url, method="PUT", headers={"Content-Type": kind.mime_type})
        return self._viewed(attachment, turn).model_copy(update={"upload_descriptor": upload})

    async def remove(self, key: str, turn: Turn) -> None:
        """Remove a file that is in no message yet. One that is goes with its conversation."""
        async with self._database.begin(turn.caller, write=True) as tx:
            if not await rows.bury_unbound(tx, key):
                if key in await rows.find(tx, [key]):
                    raise Problem("conflict", "this file is part of a message", "delete the conversation instead")
                return
        await self._keeping.remove(key)
        async with self._database.begin(turn.caller, write=True) as tx:
            await rows.drop(tx, [key])

    async def check(self, keys: Sequence[str], thread_id: str, turn: Turn) -> list[Attachment]:
        """The files that a message of this conversation brings. Raises `Problem` unless it may bring all of them."""
        if len(keys) > PER_MESSAGE or len(set(keys)) < len(keys):
            raise Problem("too_many", "the message has too many files", "send them in several messages")
        async with self._database.begin(turn.caller) as tx:
            found = await rows.find(tx, keys)
        if not all(key in found and found[key].fits(thread_id) for key in keys):
            raise gone()
        return [found[key].attachment for key in keys]

    def shown(self, item: ThreadItem, turn: Turn) -> ThreadItem:
        """The same item, with pictures that a page without a cookie can show for an hour."""
        if not isinstance(item, UserMessageItem) or not item.attachments:
            return item
        viewed = [self._viewed(attachment, turn) for attachment in item.attachments]
        return item.model_copy(update={"attachments": viewed})

    # Bytes

    def uploader(self, key: str, proof: str) -> Caller:
        """Who may send the bytes of this attachment with this proof. Raises `Problem`."""
        caller = self._proofs.caller("upload", key, proof)
        if caller is None:
            raise gone()
        return caller

    def reader(self, key: str, proof: str) -> Caller | None:
        """Who may read this attachment with this proof."""
        return self._proofs.caller("read", key, proof)

    async def receive(self, key: str, chunks: AsyncIterator[bytes], caller: Caller) -> None:
        """Take the bytes of an attachment that waits for them. What is not what it was announced as is forgotten."""
        kept = await self._find(key, caller)
        if kept.state != WAITING:
            raise Problem("conflict", "this file has been sent already", "attach it again")
        if self._uploads.total() >= UPLOADS_AT_ONCE or self._uploads[caller.key] >= PER_MESSAGE:
            raise Problem("busy", "other files are still arriving", "retry in 2 s")
        self._uploads[caller.key] += 1
        try:
            await self._take(kept, chunks, caller)
        finally:
            self._uploads -= Counter({caller.key: 1})

    async def read(self, key: str, caller: Caller) -> tuple[Attachment, bytes]:
        """A file of the caller's with its bytes. Raises `Problem`."""
        kept = await self._find(key, caller)
        if kept.state != READY:
            raise gone()
        return kept.attachment, await self._keeping.get(key)

    async def _take(self, kept: Kept, chunks: AsyncIterator[bytes], caller: Caller) -> None:
        key = kept.attachment.id
        try:
            data = await _whole(chunks, kept.size_bytes)
            data = recognised(KINDS[kept.attachment.mime_type], data)
        except Problem:
            async with self._database.begin(caller, write=True) as tx:
                await rows.forget(tx, key)
            raise
        async with self._database.begin(caller, write=True) as tx:
            if not await rows.move(tx, key, WAITING, ARRIVING, len(data)):
                raise gone()
        try:
            await self._keeping.put(key, data)
        except Problem:
            async with self._database.begin(caller, write=True) as tx:
                await rows.move(tx, key, ARRIVING, WAITING, kept.size_bytes)
            raise
        async with self._database.begin(caller, write=True) as tx:
            is_wanted = await rows.move(tx, key, ARRIVING, READY)
        if not is_wanted:  # it was removed meanwhile
            await self._keeping.remove(key)
            raise gone()

    async def _find(self, key: str, caller: Caller) -> Kept:
        async with self._database.begin(caller) as tx:
            found = await rows.find(tx, [key])
        if key not in found:
            raise gone()
        return found[key]

    def _viewed(self, attachment: Attachment, turn: Turn) -> Attachment:
        if not isinstance(attachment, ImageAttachment):
            return attachment
        preview = AnyUrl(self._proofs.proving("read", attachment.id, turn.caller))
        return attachment.model_copy(update={"preview_url": preview})


async def _whole(chunks: AsyncIterator[bytes], announced: int) -> bytes:
    """All bytes, if they are some and no more than announced."""
    arrived = bytearray()
    async for chunk in chunks:
        arrived += chunk
        if len(arrived) > announced:
            raise Problem("too_big", "the file is larger than it was announced", "attach it again")
    if not arrived:
        raise Problem("bad_content", "the file is empty", "attach another one")
    return bytes(arrived)
