"""`Retention`: for how many days which data is kept, by name."""

import re
from dataclasses import dataclass, fields, replace
from typing import Final, Self

LONGEST: Final = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """Days; 0 is for ever."""

    threads: int = 365  # a conversation in which nothing happens
    deleted: int = 30  # the empty row that is left of a deleted one

    @classmethod
    def read(cls, text: str) -> Self:
        """The defaults, changed by `name=days` pairs. Raises `ValueError` for what is not one."""
        kept = cls()
        known = [field.name for field in fields(cls)]
        for part in filter(None, re.split(r"[\s,]+", text)):
            name, _, days = part.partition("=")
            if name not in known or not re.fullmatch(r"[0-9]{1,5}", days) or int(days) > LONGEST:
                raise ValueError(
                    f"has to be name=days pairs with days up to {LONGEST:,}; the names are {', '.join(known)}"
                )
            kept = replace(kept, **{name: int(days)})
        return kept
