"""`taskgate-mcp`: the tool server as a process of its own."""

import sys

from mcp_server.service import SERVICE
from shared.cli import serve


def main() -> None:
    """Serve until told to stop."""
    sys.exit(serve(SERVICE))


if __name__ == "__main__":
    main()
