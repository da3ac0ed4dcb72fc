"""Who is calling: access tokens in, `Caller` out; and the tokens we make ourselves. The only place that knows JWT."""

from shared.tokens.caller import SCOPES, Caller, restored, service
from shared.tokens.keys import KeysUnavailable, SigningKey
from shared.tokens.signer import Signer
from shared.tokens.verifier import IssuerProfile, Refused, Verifier, build_verifier

__all__ = [
    "SCOPES",
    "Caller",
    "IssuerProfile",
    "KeysUnavailable",
    "Refused",
    "Signer",
    "SigningKey",
    "Verifier",
    "build_verifier",
    "restored",
    "service",
]
