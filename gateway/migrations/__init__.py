"""How the schema of the gateway came to be, and which revision this program expects."""

from pathlib import Path

from shared.migrate import Schema

SCHEMA = Schema(service="gateway", head="0006", versions=Path(__file__).parent / "versions")
