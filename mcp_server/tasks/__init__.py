"""Tasks as a plain library: nothing in here knows MCP."""
