"""What both services stand on. It knows neither of them, nor MCP, nor ChatKit."""

__version__ = "0.1.0"
