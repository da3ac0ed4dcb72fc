"""How the schema of the tool server came to be, and which revision this program expects."""

from pathlib import Path

from shared.migrate import Schema

SCHEMA = Schema(service="mcp", head="0004", versions=Path(__file__).parent / "versions")
