"""Refusals of SQL in words that say what to write instead."""
