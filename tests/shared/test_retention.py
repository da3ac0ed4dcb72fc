"""How long what is kept is written as name=days, and whatever else is written is refused."""

import pytest

from shared.retention import Retention


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", Retention()),
        ("threads=365,deleted=30", Retention()),
        ("deleted=0", Retention(deleted=0)),
        (" threads=7\n  deleted=36500 ", Retention(threads=7, deleted=36_500)),
    ],
)
def test_what_is_not_named_keeps_its_default(text: str, kept: Retention) -> None:
    assert Retention.read(text) == kept


@pytest.mark.parametrize(
    "text", ["thread=1", "threads", "threads=", "threads=-1", "threads=1.5", "threads=1d", "threads=36501", "=1", "٣=1"]
)
def test_anything_else_is_refused_with_the_names_that_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="the names are threads, deleted"):
        Retention.read(text)
