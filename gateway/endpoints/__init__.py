"""HTTP to `Turn` and back: who asks, whether he may, whether it exists; only then the conversation is touched."""

from gateway.endpoints.routes import Endpoints

__all__ = ["Endpoints"]
