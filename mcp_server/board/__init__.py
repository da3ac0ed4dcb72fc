"""The interactive task list for clients that show MCP Apps: same data, same rules, no channel of its own."""
