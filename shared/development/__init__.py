"""`taskgate dev`: everything on one machine, ready to try, and never for production."""

from shared.development.run import develop, issue, mint, settings_of

__all__ = ["develop", "issue", "mint", "settings_of"]
