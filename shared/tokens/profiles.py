"""`IssuerProfile`: an issuer whose tokens a service accepts, and the rules that hold for its tokens."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from shared.tokens.keys import ASYMMETRIC

SHORTEST_SECRET: Final = 32


class IssuerProfile(BaseModel):
    """One issuer. Its keys are given (`jwks`), fetched (`jwks_uri`) or, without either, found by discovery."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str = Field(min_length=1, description="exact value of `iss`")
    audience: str = Field(default="", description="exact value of `aud`; empty: the public URL of the service")
    jwks_uri: str = Field(default="", description="where the issuer publishes its keys")
    jwks: dict[str, Any] | None = Field(default=None, description="the keys themselves, instead of their address")
    secret: SecretStr | None = Field(default=None, description="a shared HS256 secret, for development only")
    algorithms: tuple[str, ...] = ("EdDSA", "Ed25519", "ES256", "RS256")
    types: tuple[str, ...] | None = Field(
        default=("at+jwt", "application/at+jwt"), description="accepted `typ`; null for issuers that set none"
    )
    default_scopes: tuple[str, ...] = Field(default=(), description="for tokens that name no scope")
    max_lifetime_s: int | None = Field(default=None, gt=0)
    delegates_for: frozenset[str] = Field(
        default=frozenset(), description="issuers in whose name this one may act; for the gateway only"
    )
    interactive: bool = Field(default=True, description="whether people can sign in there from an MCP client")

    @property
    def needs_discovery(self) -> bool:
        """Whether nothing is said about its keys, so that the issuer itself has to be asked where they are."""
        return not self.jwks_uri and self.jwks is None and self.secret is None

    @field_validator("issuer")
    @classmethod
    def _splittable(cls, value: str) -> str:
        if "|" in value:
            raise ValueError("an issuer may not contain |")
        return value

    @field_validator("algorithms")
    @classmethod
    def _asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not ASYMMETRIC.issuperset(value):
            raise ValueError(f"algorithms must be among {', '.join(sorted(ASYMMETRIC))}")
        return value

    @field_validator("secret")
    @classmethod
    def _strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < SHORTEST_SECRET:
            raise ValueError("is too weak: an HS256 secret has at least 32 bytes")
        return value

    @field_validator("types")
    @classmethod
    def _lower(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(name.lower() for name in value)

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> "IssuerProfile":
        if (bool(self.jwks_uri), self.jwks is not None, self.secret is not None).count(True) > 1:
            raise ValueError("give one of jwks_uri, jwks and secret, or none of them for discovery")
        if self.secret is not None and self.delegates_for:
            raise ValueError("an issuer with a shared secret may not act for others")
        return self


def require_distinct(profiles: Sequence[IssuerProfile]) -> None:
    """Raises ValueError when two profiles name the same issuer: which rules held would be chance."""
    names = [profile.issuer for profile in profiles]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ValueError(f"two profiles have the issuer {twice}; keep one of them")
