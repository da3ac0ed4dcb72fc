"""An issuer for development and tests: anybody may say who they are, so it answers this machine only."""

from shared.development.issuer.app import Issuer, run
from shared.development.issuer.grants import Grants

__all__ = ["Grants", "Issuer", "run"]
