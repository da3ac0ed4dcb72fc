"""Who is calling: access tokens in, `Caller` out; and the tokens we make ourselves. The only place that knows JWT."""

from shared.tokens.caller import SCOPES, Caller, restored, service
from shared.tokens.discovery import IssuerMetadata, Undiscoverable, discover, with_known_keys
from shared.tokens.keys import KeysUnavailable, SigningKey
from shared.tokens.profiles import IssuerProfile, require_distinct
from shared.tokens.revoked import Revocation, Revocations
from shared.tokens.rotation import KeptKey, pems, signing_keys
from shared.tokens.signer import Signer
from shared.tokens.unproven import Unproven, read_unproven
from shared.tokens.verifier import Refused, SignedIn, Verifier, build_verifier

__all__ = [
    "SCOPES",
    "Caller",
    "IssuerMetadata",
    "IssuerProfile",
    "KeptKey",
    "KeysUnavailable",
    "Refused",
    "Revocation",
    "Revocations",
    "SignedIn",
    "Signer",
    "SigningKey",
    "Undiscoverable",
    "Unproven",
    "Verifier",
    "build_verifier",
    "discover",
    "pems",
    "read_unproven",
    "require_distinct",
    "restored",
    "service",
    "signing_keys",
    "with_known_keys",
]
