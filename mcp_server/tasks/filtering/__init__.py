"""The filter language, from its text to a condition in SQL."""
