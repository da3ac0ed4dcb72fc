"""`taskgate-gateway`: the gateway as a process of its own."""

import sys

from gateway.service import SERVICE
from shared.cli import serve


def main() -> None:
    """Serve until told to stop."""
    sys.exit(serve(SERVICE))


if __name__ == "__main__":
    main()
