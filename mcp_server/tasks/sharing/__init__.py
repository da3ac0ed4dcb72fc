"""Lists shared with other people."""
