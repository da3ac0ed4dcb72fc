"""The locked processes in which SQL runs, and whose turn it is."""
