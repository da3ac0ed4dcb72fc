"""Which rows of a table are a person's. A table that does not say whose its rows are has no place here."""

from typing import Final

from sqlalchemy import ColumnElement, Table

from gateway.tables import metadata, revocations
from shared.tokens import Caller

# Every table with rows of people that go with them. What was withdrawn from a person outlives them: until the last of
# their tokens has run out, it is what keeps them out.
PERSONAL: Final = tuple(table for table in metadata.sorted_tables if table is not revocations)


def rows_of(table: Table, person: Caller) -> ColumnElement[bool]:
    """The rows of this person. Raises `AttributeError` for a table with neither an owner nor an issuer and subject."""
    if "owner" in table.c:
        return table.c.owner == person.key
    return (table.c.issuer == person.issuer) & (table.c.subject == person.subject)
