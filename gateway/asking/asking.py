"""What becomes of calls that wait: the person is asked, and the answer makes the call, or says that it was not made.

Asking ends the run. What is needed to go on is kept first and shown then, so nothing can be pressed that nobody knows;
and it is claimed before anything is done, so of two answers one counts. Afterwards the model goes on from the
conversation as it is stored, with the outcome in it: in this process or another, with the person's sign-in of then.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import token_hex
from typing import Any, Final
from zoneinfo import ZoneInfo

from chatkit.store import NotFoundError
from chatkit.types import (
    ClientEffectEvent,
    NoticeEvent,
    ProgressUpdateEvent,
    StructuredInput,
    StructuredInputAnswer,
    StructuredInputItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadStreamEvent,
    WidgetItem,
)
from mcp_types import CallToolResult, InputResponses, TextContent

from gateway.answering.answer import Answer
from gateway.answering.cards import Cards
from gateway.answering.context import AnswerContext
from gateway.approvals import ASK_PERSON, MOST_ROUNDS, REFUSED, TOO_OFTEN, Held
from gateway.asking.page_card import page_card
from gateway.history import run_item
from gateway.notes import note_item
from gateway.questions.forms import MOST_FIELDS, Form, Read, questions, read_answers, read_forms
from gateway.store import Entry, ThreadStore, Waiting, new_id
from gateway.toolbox import UNKNOWN_OUTCOME, SignInNeeded, text_of
from gateway.turn import Turn
from gateway.widgets import AskedCall, Card, Verdict, confirm_card, effect, verdict_card, widget_item
from gateway.widgets.parts import card, text
from shared.db import clock

LIFETIME: Final = timedelta(hours=24)
MOST_CALLS: Final = 10  # on one card: nobody agrees to what is not shown
STOPPED: Final = "stopped: the person stopped this answer first; nothing was changed."
SIGNED_OUT: Final = "sign_in: the person's sign-in has ended; nothing was changed."


class Asking:
    """The questions that wait for people."""

    def __init__(self, waiting: Waiting, store: ThreadStore, output_limit: int) -> None:
        self._waiting = waiting
        self._store = store
        self._output_limit = output_limit

    async def pause(self, context: AnswerContext) -> AsyncIterator[ThreadStreamEvent]:
        """Ask what the run was ended for. Afterwards `context.asked` says whether anything was."""
        held = list(context.toolbox.held)
        context.toolbox.held.clear()
        for calls in _together(held):
            entry = Entry(
                id=token_hex(16),
                thread_id=context.thread.id,
                item_id=new_id("message"),
                kind="question" if calls[0].why == "question" else "approval",
                status="pending",
                expires_at=clock() + LIFETIME,
                data={"calls": [one.kept() for one in calls]},
            )
            item = _asked_item(entry, calls, context.turn)
            await self._waiting.add(entry, context.turn)
            context.asked = True
            yield ThreadItemDoneEvent(item=item)

    async def supersede(self, thread_id: str, turn: Turn) -> list[ThreadItem]:
        """Close what waits in a conversation that goes on without the answer; what people see of it, as it is then."""
        changed: list[ThreadItem] = []
        for entry in await self._waiting.open(thread_id, turn):
            verdict: Verdict = "expired" if entry.expires_at <= clock() else "superseded"
            if await self._waiting.settle(entry.id, verdict, turn) is None:
                continue
            item = await self._closed(entry, verdict, turn)
            if item is not None:
                changed.append(item)
                await self._store.add_thread_item(thread_id, _not_run(entry), turn)
        return changed

    async def decided(
        self, sender: WidgetItem, payload: Mapping[str, Any], context: AnswerContext, cards: Cards
    ) -> AsyncIterator[ThreadStreamEvent]:
        """A button of an asking card was pressed. Afterwards the model goes on, unless `context.asked`."""
        if context.toolbox.is_empty:
            context.asked = True  # the person has been told; the card can be pressed later
            return
        approved = payload["answer"] == "approve"
        verdict: Verdict = "approved" if approved else "rejected"
        entry = await self._waiting.claim(str(payload["id"]), verdict, context.turn)
        if entry is None:
            context.asked = True
            async for event in self._too_late(sender, str(payload["id"]), context.turn):
                yield event
            return
        calls = _calls(entry)
        yield ThreadItemReplacedEvent(item=_verdict_item(sender, calls, verdict, context.turn))
        failed = False
        for held in calls:
            if not approved and held.why == "approval":
                yield self._record(held, REFUSED, context)
                continue
            outcome: list[CallToolResult] = []
            async for event in self._made(held, held.agreed() if approved else held.refused(), context, cards, outcome):
                yield event
            failed |= any(result.is_error for result in outcome)
        if approved and failed:
            yield ThreadItemReplacedEvent(item=_verdict_item(sender, calls, "failed", context.turn))
        async for event in self._and_then(context):
            yield event

    async def answered(self, context: AnswerContext, cards: Cards) -> AsyncIterator[ThreadStreamEvent]:
        """Questions were answered or skipped. Afterwards the model goes on, unless `context.asked`."""
        for entry in await self._waiting.open(context.thread.id, context.turn):
            item = await self._item(entry, context.turn)
            if not isinstance(item, StructuredInputItem) or item.status == "pending":
                continue
            if await self._waiting.claim(entry.id, item.status, context.turn) is None:
                if await self._waiting.settle(entry.id, "expired", context.turn) is not None:
                    yield ThreadItemDoneEvent(item=_not_run(entry))
                continue
            inputs = list(item.inputs)
            for held in _calls(entry):
                forms = read_forms(held.requests)
                count = len(questions(forms, held.known, 0, context.turn.say))
                read = read_answers(forms, held.known, inputs[:count], context.turn.say)
                del inputs[:count]
                async for event in self._with_answers(held, forms, read, context, cards):
                    yield event
        async for event in self._and_then(context):
            yield event

    async def _with_answers(
        self, held: Held, forms: Sequence[Form], read: Read, context: AnswerContext, cards: Cards
    ) -> AsyncIterator[ThreadStreamEvent]:
        if not read.fits and held.round >= MOST_ROUNDS:
            yield self._record(held, TOO_OFTEN, context)
        elif not read.fits:
            context.toolbox.held.append(replace(held, known=read.known, round=held.round + 1))
        elif held.tool == ASK_PERSON:
            yield self._record(held, _told(forms, read), context)
        else:
            async for event in self._made(held, dict(read.results), context, cards, []):
                yield event

    async def _made(
        self,
        held: Held,
        answers: InputResponses,
        context: AnswerContext,
        cards: Cards,
        outcome: list[CallToolResult],
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Make a call that waited, as if the model had made it now; its result is added to the outcome."""
        yield ProgressUpdateEvent(text=f"{context.toolbox.title(held.tool)}...")
        answer, call_id = context.turn.answer, token_hex(16)
        assert answer is not None  # every streaming request has one
        try:
            result = await _unless_stopped(answer, partial(context.toolbox.resume, held, answers, call_id))
        except SignInNeeded:
            yield self._record(held, SIGNED_OUT, context)
            raise
        if result is None:
            return  # asked again
        outcome.append(result)
        yield self._record(held, text_of(result), context, call_id)
        described = context.toolbox.described(held.tool)
        if result.is_error or described is None:
            return
        if (changed := effect(described, result)) is not None:
            yield ClientEffectEvent(name="tasks.changed", data=changed)
        cards.take(held.tool, held.arguments, result)

    async def _and_then(self, context: AnswerContext) -> AsyncIterator[ThreadStreamEvent]:
        """Ask again where that is needed, and see whether anything else still waits."""
        async for event in self.pause(context):
            yield event
        waiting = await self._waiting.open(context.thread.id, context.turn)
        context.asked = context.asked or any(entry.expires_at > clock() for entry in waiting)

    async def _too_late(self, sender: WidgetItem, entry_id: str, turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
        entry = await self._waiting.settle(entry_id, "expired", turn)
        if entry is None:
            said = turn.say("This was answered already.")
            done = Card("approval", card(f"answered {entry_id}", text(said, strong=True)), said)
            yield ThreadItemReplacedEvent(item=widget_item(done, sender.id, sender.thread_id, sender.created_at))
            yield NoticeEvent(level="info", message=said)
            return
        yield ThreadItemReplacedEvent(item=_verdict_item(sender, _calls(entry), "expired", turn))
        yield ThreadItemDoneEvent(item=_not_run(entry))
        words = turn.say("The time to answer is over. Ask for it again if it is still wanted.")
        yield NoticeEvent(level="info", message=words)

    async def _closed(self, entry: Entry, verdict: Verdict, turn: Turn) -> ThreadItem | None:
        """What asked, as it looks once nobody can answer it any more; None when it is gone."""
        match await self._item(entry, turn):
            case WidgetItem() as item:
                return _verdict_item(item, _calls(entry), verdict, turn)
            case StructuredInputItem() as item:
                for one in item.inputs:
                    one.answer = one.answer or StructuredInputAnswer(skipped=True)
                item.status = "skipped"
                return item
        return None

    async def _item(self, entry: Entry, turn: Turn) -> ThreadItem | None:
        try:
            return await self._store.load_item(entry.thread_id, entry.item_id, turn)
        except NotFoundError:
            return None  # removed, by answering its question once more

    def _record(self, held: Held, output: str, context: AnswerContext, call_id: str = "") -> ThreadItemDoneEvent:
        record = run_item(call_id or token_hex(16), held.tool, json.dumps(held.arguments), output, self._output_limit)
        return ThreadItemDoneEvent(item=context.hidden(record))


async def _unless_stopped(
    answer: Answer, call: Callable[[], Coroutine[Any, Any, CallToolResult | None]]
) -> CallToolResult | None:
    """The result of a call, which is cut when the answer is stopped: before the run, nothing else would do that."""
    if answer.stopped.is_set():
        return _failed(STOPPED)
    calling, stopping = asyncio.create_task(call()), asyncio.create_task(answer.stopped.wait())
    try:
        await asyncio.wait({calling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return calling.result() if calling.done() else _failed(UNKNOWN_OUTCOME)
    finally:
        calling.cancel()
        stopping.cancel()
        await asyncio.gather(calling, stopping, return_exceptions=True)


def _failed(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _together(held: Sequence[Held]) -> Iterator[list[Held]]:
    """What is asked at once: as many calls of a kind as fit on a card or into a form, and each page alone."""
    for why, most in (("approval", MOST_CALLS), ("link", 1), ("question", MOST_FIELDS)):
        calls: list[Held] = []
        size = 0
        for one in held:
            if one.why != why:
                continue
            needs = sum(len(form.fields) for form in read_forms(one.requests)) if why == "question" else 1
            if calls and size + needs > most:
                yield calls
                calls, size = [], 0
            calls.append(one)
            size += needs
        if calls:
            yield calls


def _calls(entry: Entry) -> list[Held]:
    return [Held.read(kept) for kept in entry.data["calls"]]


def _asked_item(entry: Entry, calls: Sequence[Held], turn: Turn) -> ThreadItem:
    if entry.kind == "question":
        asked: list[StructuredInput] = []
        for held in calls:
            asked += questions(read_forms(held.requests), held.known, len(asked) + 1, turn.say)
        return StructuredInputItem(id=entry.item_id, thread_id=entry.thread_id, created_at=clock(), inputs=asked)
    [first, *_] = calls
    if first.why == "link":
        title = turn.translated(first.title)
        shown = page_card(entry.id, title, first.effect, first.url, turn.say)
    else:
        shown = confirm_card(entry.id, _as_asked(calls, turn), _local(entry.expires_at, turn), turn.say)
    return widget_item(shown, entry.item_id, entry.thread_id, clock())


def _verdict_item(item: WidgetItem, calls: Sequence[Held], verdict: Verdict, turn: Turn) -> WidgetItem:
    decided = verdict_card(_as_asked(calls, turn), verdict, _local(clock(), turn), turn.say)
    return widget_item(decided, item.id, item.thread_id, item.created_at)


def _as_asked(calls: Sequence[Held], turn: Turn) -> list[AskedCall]:
    return [AskedCall(turn.translated(held.title), held.arguments, held.effect) for held in calls]


def _not_run(entry: Entry) -> ThreadItem:
    """What the model is told of calls that nobody answered for."""
    tools = sorted({held.tool for held in _calls(entry)} - {ASK_PERSON})
    text = f"The person did not answer; {', '.join(tools)} was not run." if tools else "The person did not answer."
    return note_item(entry.thread_id, text)


def _told(forms: Sequence[Form], read: Read) -> str:
    """Answers as the model reads them."""
    lines = []
    for form in forms:
        content = read.results[form.key].content or {}
        lines += [f"{one.title} -> {content.get(one.name, '(not answered)')}" for one in form.fields]
    return "\n".join(lines)


def _local(moment: datetime, turn: Turn) -> datetime:
    return moment.astimezone(ZoneInfo(turn.time_zone) if turn.time_zone else UTC)
