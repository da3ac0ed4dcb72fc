"""Time in people's words: days, times, periods and recurrence. Pure; no clock and no database is known here."""
