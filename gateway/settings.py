"""The settings of the gateway."""

from typing import Final

from pydantic import SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from gateway.choices import ModelChoices
from gateway.limits import ChatLimits
from gateway.places import Bucket, place
from shared.service import Bind, Issuers, ServiceSettings
from shared.settings import setting
from shared.tokens import SCOPES, KeptKey, SigningKey, pems, signing_keys

KEY_LENGTH: Final = 32


class GatewaySettings(ServiceSettings):
    """What the gateway can be told."""

    bind: Bind = setting("TASKGATE_GATEWAY_BIND", "Address and port to listen on.", default="127.0.0.1:8000")
    database_url: SecretStr = setting(
        "TASKGATE_GATEWAY_DATABASE_URL",
        "The database of conversations; may lead to a pooler.",
        default="sqlite:///.taskgate/gateway.db",
        secret=True,
        example="postgresql://taskgate_app:...@db/taskgate",
    )
    database_direct_url: SecretStr | None = setting(
        "TASKGATE_GATEWAY_DATABASE_DIRECT_URL",
        "The same database without a pooler and as the owner of its tables, for migrations.",
        default=None,
        secret=True,
    )
    issuers: Issuers = setting(
        "TASKGATE_GATEWAY_ISSUERS",
        "Whose tokens are accepted from people: a JSON list of issuer profiles.",
        example='[{"issuer":"https://login.example.com","jwks_uri":"https://login.example.com/jwks"}]',
    )
    signing_keys: tuple[KeptKey | SecretStr, ...] = setting(
        "TASKGATE_GATEWAY_SIGNING_KEYS",
        "Ed25519 keys for the token of each tool call: the first signs, all are published; the same on every replica.",
        secret=True,
        example='a JSON list of what "openssl genpkey -algorithm ed25519" prints; as a file: taskgate keys add FILE',
    )
    session_keys: tuple[SecretStr, ...] = setting(
        "TASKGATE_GATEWAY_SESSION_KEYS",
        "Keys that seal what browsers carry to the issuer and back, and refresh tokens in the database, the newest "
        "first; the same on every replica.",
        default=(),
        secret=True,
        example="the output of: openssl rand -base64 32",
    )
    oidc_issuer: str = setting(
        "TASKGATE_GATEWAY_OIDC_ISSUER",
        "Where browsers sign in, one of TASKGATE_GATEWAY_ISSUERS. Unset: the first of them.",
        default="",
        example="https://login.example.com",
    )
    oidc_client_id: str = setting(
        "TASKGATE_GATEWAY_OIDC_CLIENT_ID",
        "What that issuer calls this gateway. Unset: browsers bring a bearer token instead of signing in.",
        default="",
        example="taskgate-gateway",
    )
    oidc_client_secret: SecretStr | None = setting(
        "TASKGATE_GATEWAY_OIDC_CLIENT_SECRET",
        "The gateway's secret at that issuer, if it has one.",
        default=None,
        secret=True,
    )
    login_scopes: tuple[str, ...] = setting(
        "TASKGATE_GATEWAY_LOGIN_SCOPES",
        "What a browser's sign-in asks for, and what it permits where the issuer knows nothing of scopes.",
        default=tuple(SCOPES),
        example="tasks:read,tasks:write",
    )
    origins: tuple[str, ...] = setting(
        "TASKGATE_GATEWAY_ORIGINS",
        "Other browser origins that may call with a bearer token.",
        default=(),
        example="https://app.example.com",
    )
    hosts: tuple[str, ...] = setting(
        "TASKGATE_GATEWAY_HOSTS",
        "Further values of the Host header, e.g. the name inside the cluster.",
        default=(),
        example="taskgate-gateway:8000",
    )
    mcp_address: str = setting(
        "TASKGATE_GATEWAY_MCP_ADDRESS",
        "Where to reach the tool server if not at its public URL; tokens are made out to the public URL all the same.",
        default="",
        example="http://taskgate-mcp:8001/mcp",
    )
    model: str = setting(
        "TASKGATE_GATEWAY_MODEL",
        "offline, openai:NAME (Responses API) or NAME (Chat Completions at the model URL). Unset: offline without a "
        "key or URL, else the first model offered there.",
        default="",
        example="openai:gpt-5.2",
    )
    model_url: str = setting(
        "TASKGATE_GATEWAY_MODEL_URL",
        "Base URL of an OpenAI-compatible server.",
        default="",
        example="http://127.0.0.1:11434/v1",
    )
    model_key: SecretStr | None = setting(
        "TASKGATE_GATEWAY_MODEL_KEY", "The key of the model provider.", default=None, secret=True
    )

    model_choices: ModelChoices = setting(
        "TASKGATE_GATEWAY_MODEL_CHOICES",
        "Further models of the same provider that people may choose: a JSON list.",
        default=(),
        example='[{"id":"fast","model":"openai:gpt-5.2-mini","label":"Fast"}]',
    )
    model_fallback: str = setting(
        "TASKGATE_GATEWAY_MODEL_FALLBACK",
        "A second model of the same provider, asked only where the first is away, silent or too busy.",
        default="",
        example="openai:gpt-5.2-mini",
    )
    transcription_model: str = setting(
        "TASKGATE_GATEWAY_TRANSCRIPTION_MODEL",
        "What turns speech into text for dictation, at the same provider. Unset: dictation is off.",
        default="",
        example="gpt-4o-mini-transcribe",
    )
    s3_key: SecretStr | None = setting(
        "TASKGATE_GATEWAY_S3_KEY",
        "The key for s3:// in TASKGATE_GATEWAY_ATTACHMENTS, as ID:SECRET.",
        default=None,
        secret=True,
    )
    attachments: str = setting(
        "TASKGATE_GATEWAY_ATTACHMENTS",
        "Where attached files are kept: a directory, which several gateways have to share, or "
        "s3://bucket/prefix?region=...&endpoint=... Unset: attachments are off.",
        default="",
        example="/var/lib/taskgate/attachments",
    )
    model_images: bool = setting(
        "TASKGATE_GATEWAY_MODEL_IMAGES",
        "Whether the model sees attached pictures; otherwise it hears only that there is one.",
        default=False,
    )
    limits: str = setting(
        "TASKGATE_GATEWAY_LIMITS",
        "Sizes, times and quotas as name=number; what is not named keeps its default.",
        default="",
        example="turns=30 tokens=1000000 turn_s=300",
    )

    @field_validator("s3_key")
    @classmethod
    def _has_two_halves(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all(value.get_secret_value().partition(":")):
            raise PydanticCustomError("key", "has to be ID:SECRET")
        return value

    @field_validator("attachments")
    @classmethod
    def _is_a_place(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return value
        if isinstance(place(value), Bucket) and info.data.get("s3_key", "") is None:
            raise ValueError("needs TASKGATE_GATEWAY_S3_KEY, which is not set")
        if info.data.get("session_keys") == ():
            raise ValueError("needs TASKGATE_GATEWAY_SESSION_KEYS, which is not set")
        return value

    @field_validator("limits")
    @classmethod
    def _are_limits(cls, value: str) -> str:
        ChatLimits.read(value)
        return value

    @field_validator("signing_keys")
    @classmethod
    def _keys(cls, value: tuple[KeptKey | SecretStr, ...]) -> tuple[KeptKey | SecretStr, ...]:
        try:
            keys = signing_keys(value)
        except ValueError:
            keys = ()
        if not keys:
            # A plain ValueError on a secret is not shown, because libraries quote the value in theirs.
            raise PydanticCustomError("keys", "has to be one Ed25519 private key or more, as PEM")
        return value

    @field_validator("session_keys")
    @classmethod
    def _strong(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < KEY_LENGTH for key in value):
            raise PydanticCustomError("weak", "has to hold keys of at least 32 characters each")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _is_known(cls, value: str, info: ValidationInfo) -> str:
        known = [profile.issuer for profile in info.data.get("issuers", ())]
        if value and known and value not in known:
            raise ValueError("has to be one of TASKGATE_GATEWAY_ISSUERS, whose keys prove who has signed in")
        return value

    @field_validator("oidc_client_id")
    @classmethod
    def _has_keys(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("session_keys") == ():
            raise ValueError("needs TASKGATE_GATEWAY_SESSION_KEYS, which is not set")
        return value

    @field_validator("login_scopes")
    @classmethod
    def _are_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not SCOPES.keys() >= set(value):
            raise ValueError(f"has to be one or more of {', '.join(SCOPES)}")
        return value

    @property
    def chat_limits(self) -> ChatLimits:
        """The limits by their names."""
        return ChatLimits.read(self.limits)

    @property
    def login_issuer(self) -> str:
        """The issuer where browsers sign in."""
        return self.oidc_issuer or self.issuers[0].issuer

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """The signing keys, the one that signs first."""
        return signing_keys(self.signing_keys)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show."""
        known = (
            self.database_url,
            self.database_direct_url,
            self.model_key,
            self.oidc_client_secret,
            self.s3_key,
        )
        others = tuple(secret.get_secret_value() for secret in (*known, *self.session_keys) if secret is not None)
        return (*pems(self.signing_keys), *others)
