"""What the SDK carries through a run: ChatKit's context, the toolbox of the turn, and why the run waits."""

from typing import Annotated, Any

from chatkit.agents import AgentContext
from chatkit.types import HiddenContextItem
from pydantic import SkipValidation

from gateway.notes import note_item
from gateway.toolbox import Toolbox
from gateway.turn import Turn


class AnswerContext(AgentContext[Any]):
    """The context of one run. Of `Any`, because pydantic would take a `Turn` apart and build another one."""

    toolbox: Annotated[Toolbox, SkipValidation]
    # The id of the call that only the page can run; the SDK remembers that of the newest call, whichever it was.
    client_call_id: str | None = None
    # The person was asked something: the run ends, and goes on with the answer.
    asked: bool = False

    @property
    def turn(self) -> Turn:
        """Who asks."""
        turn = self.request_context
        assert isinstance(turn, Turn)
        return turn

    def hidden(self, content: Any) -> HiddenContextItem:
        """An item for the model's eyes only."""
        return note_item(self.thread.id, content)
