"""Files with secrets in them: readable by their owner alone at any moment, and replaced at once or not at all."""

from pathlib import Path


def write_privately(path: Path, text: str) -> None:
    """Make this the whole content of the file."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_text(text, encoding="utf-8")
    new.replace(path)
