"""Our own ids for what a model says: some models call every message and every call by one and the same name."""

from collections.abc import AsyncIterator

from chatkit.types import AssistantMessageItem, ClientToolCallItem, ThreadItem, ThreadStreamEvent

from gateway.answering.context import AnswerContext


async def with_own_ids(
    events: AsyncIterator[ThreadStreamEvent], context: AnswerContext
) -> AsyncIterator[ThreadStreamEvent]:
    """The same events with ids that nothing else has."""
    ids: dict[str, str] = {}
    async for event in events:
        item: ThreadItem | None = getattr(event, "item", None)
        if isinstance(item, AssistantMessageItem):
            if event.type == "thread.item.added" or item.id not in ids:
                ids[item.id] = context.generate_id("message")
            yield event.model_copy(update={"item": item.model_copy(update={"id": ids[item.id]})})
        elif isinstance(item, ClientToolCallItem):
            ours = {"id": context.generate_id("tool_call"), "call_id": context.client_call_id or item.call_id}
            yield event.model_copy(update={"item": item.model_copy(update=ours)})
        elif (item_id := getattr(event, "item_id", None)) in ids:
            yield event.model_copy(update={"item_id": ids[item_id]})
        else:
            yield event
