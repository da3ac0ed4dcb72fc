"""Writes: operations and their journal, the bench on which tasks are changed, and the changes people ask for."""
