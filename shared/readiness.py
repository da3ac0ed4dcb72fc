"""What has to work before a service wants requests; the same for both."""

from shared.asgi import Check
from shared.db import Database
from shared.migrate import Schema, require_schema
from shared.tokens import Verifier


def checks(database: Database, schema: Schema, verifier: Verifier) -> list[Check]:
    """What has to work before a service wants requests."""

    async def up_to_date() -> None:
        await require_schema(database, schema)

    return [
        Check("database", required=True, run=database.ping),
        Check("schema", required=True, run=up_to_date),
        Check("keys", required=True, run=verifier.load_keys),
    ]
