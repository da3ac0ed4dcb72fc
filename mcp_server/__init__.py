"""The tool server: it owns tasks and data, and is complete without the gateway."""
