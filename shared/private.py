"""Files with secrets in them: readable by their owner alone at any moment, and replaced at once or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def write_privately(path: Path, text: str) -> None:
    """Make this the whole content of the file."""
    with written_privately(path) as file:
        file.write(text)


@contextmanager
def written_privately(path: Path) -> Iterator[TextIO]:
    """A text that becomes the whole content of the file at the end of the block, unless the block raises."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    try:
        with new.open("w", encoding="utf-8") as file:
            yield file
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
