"""The gateway: it owns conversations and nothing else, and reaches tasks only through tools."""
