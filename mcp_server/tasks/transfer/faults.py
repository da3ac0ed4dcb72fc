"""What was not understood of a file, line by line."""

from mcp_server.tasks.transfer.document import Fault


class Faults:
    """Collects faults; what holds for many lines is said once."""

    def __init__(self) -> None:
        self._found: list[Fault] = []
        self._said: set[str] = set()
        self.left_out = 0  # how many tasks are missing for it

    def add(self, line: int, what: str) -> None:
        """Something in that line was not understood."""
        self._found.append(Fault(line, what))

    def add_once(self, line: int, what: str) -> None:
        """The same, unless it was said of an earlier line."""
        if what not in self._said:
            self._said.add(what)
            self.add(line, what)

    def leave_out(self, line: int, why: str) -> None:
        """A task that is not taken."""
        self.left_out += 1
        self.add(line, f"{why}; left out")

    @property
    def found(self) -> tuple[Fault, ...]:
        """All of them by line."""
        return tuple(sorted(self._found, key=lambda fault: fault.line))
