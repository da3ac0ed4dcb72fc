"""Where every setting comes from, in which order, and what people are told when one is wrong.

The first source that has a value wins: command line, environment, `NAME_FILE` or `/run/secrets/<name in lower case>`,
`.env`, `taskgate.toml`, default. The keys of `taskgate.toml` are the variable names themselves, so that one spelling
finds a setting everywhere. This is the only file that reads the environment of the process.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, from_json, to_json, to_jsonable_python

PREFIX: Final = "TASKGATE_"
KNOWN: Final[tuple[str, ...]] = (
    "TASKGATE_ENV",
    "TASKGATE_LOG_LEVEL",
    "TASKGATE_TRUSTED_PROXIES",
    "TASKGATE_POOL_SIZE",
    "TASKGATE_DRAIN_S",
    "TASKGATE_RETENTION",
    "TASKGATE_MCP_URL",
    "TASKGATE_GATEWAY_URL",
    "TASKGATE_MCP_BIND",
    "TASKGATE_MCP_DATABASE_URL",
    "TASKGATE_MCP_DATABASE_DIRECT_URL",
    "TASKGATE_MCP_ISSUERS",
    "TASKGATE_MCP_STATE_KEYS",
    "TASKGATE_MCP_ORIGINS",
    "TASKGATE_MCP_PROFILE",
    "TASKGATE_MCP_SQL_WORKERS",
    "TASKGATE_MCP_SQL_LOCKS",
    "TASKGATE_MCP_HOSTS",
    "TASKGATE_MCP_LIMITS",
    "TASKGATE_GATEWAY_BIND",
    "TASKGATE_GATEWAY_DATABASE_URL",
    "TASKGATE_GATEWAY_DATABASE_DIRECT_URL",
    "TASKGATE_GATEWAY_ISSUERS",
    "TASKGATE_GATEWAY_SIGNING_KEYS",
    "TASKGATE_GATEWAY_SESSION_KEYS",
    "TASKGATE_GATEWAY_OIDC_ISSUER",
    "TASKGATE_GATEWAY_OIDC_CLIENT_ID",
    "TASKGATE_GATEWAY_OIDC_CLIENT_SECRET",
    "TASKGATE_GATEWAY_LOGIN_SCOPES",
    "TASKGATE_GATEWAY_ORIGINS",
    "TASKGATE_GATEWAY_HOSTS",
    "TASKGATE_GATEWAY_MCP_ADDRESS",
    "TASKGATE_GATEWAY_MODEL",
    "TASKGATE_GATEWAY_MODEL_URL",
    "TASKGATE_GATEWAY_MODEL_KEY",
    "TASKGATE_GATEWAY_MODEL_IMAGES",
    "TASKGATE_GATEWAY_MODEL_CHOICES",
    "TASKGATE_GATEWAY_MODEL_FALLBACK",
    "TASKGATE_GATEWAY_TRANSCRIPTION_MODEL",
    "TASKGATE_GATEWAY_LIMITS",
    "TASKGATE_GATEWAY_ATTACHMENTS",
    "TASKGATE_GATEWAY_S3_KEY",
)
# Names other programs gave to the same thing; the environment may use them where our own name is not set there.
ALIASES: Final = MappingProxyType(
    {"OPENAI_API_KEY": "TASKGATE_GATEWAY_MODEL_KEY", "OPENAI_BASE_URL": "TASKGATE_GATEWAY_MODEL_URL"}
)
DEFAULT: Final = "default"
NOTHING: Final = "none"
RUN_SECRETS: Final = Path("/run/secrets")
_ACCEPTED: Final = (*KNOWN, *(f"{name}_FILE" for name in KNOWN))
# Kubernetes puts these into every pod beside a Service named taskgate-mcp or taskgate-gateway.
_SERVICE_LINK: Final = re.compile(r"TASKGATE_(MCP|GATEWAY)_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)")
_ENV_LINE: Final = re.compile(r"\s*(?:export\s+)?(TASKGATE_\w*)[ \t]*(?:=(.*))?", re.IGNORECASE)
_QUOTED: Final = re.compile(r"""(?:'(?P<literal>[^']*)'|"(?P<escaped>(?:[^"\\]|\\.)*)")\s*(?:#.*)?""")
# A comma list may begin with an IPv6 address in brackets, so the bracket alone does not make a list JSON.
_JSON_LIST: Final = re.compile(r'\s*\[\s*("|\]|-?\d+\s*[,\]])')
_URL_PASSWORD: Final = re.compile(r'(://[^:/?#\s@"]*:)[^\s"]*@')


def setting(variable: str, meaning: str, *, default: Any = ..., secret: bool = False, example: str = "") -> Any:
    """The field of one setting; without a default it is required. A secret's type must hold `SecretStr`."""
    return Field(
        default,
        validation_alias=variable,
        description=meaning,
        examples=[example] if example else None,
        json_schema_extra={"writeOnly": True} if secret else None,
    )


def _variable(field: FieldInfo) -> str:
    return str(field.validation_alias)


def _is_secret(field: FieldInfo) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("writeOnly"))


def _holds_secret(kind: Any) -> bool:
    return kind is SecretStr or any(map(_holds_secret, get_args(kind)))


class Settings(BaseModel):
    """What a service subclasses; every field is made by `setting`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True, validate_default=True
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for name, field in cls.model_fields.items():
            if not isinstance(field.validation_alias, str):
                raise TypeError(f"{cls.__name__}.{name} has to be made by setting()")
            if _is_secret(field) and not _holds_secret(field.annotation):
                raise TypeError(f"{cls.__name__}.{name} is secret, so its type has to hold SecretStr")


M = TypeVar("M", bound=Settings)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """Settings that hold, and for each variable where its value came from."""

    settings: M
    sources: Mapping[str, str]


class SettingsFault(Exception):
    """Everything that is wrong with the settings at once, one sentence each, without any value."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(self.faults)


class Description(NamedTuple):
    """One setting as the reference tells it."""

    variable: str
    meaning: str
    default: str
    secret: bool


class Shown(NamedTuple):
    """One setting as it is in force, fit to be read by anyone."""

    variable: str
    value: str
    source: str


class _Unusable(Exception):
    """Why a source or a value cannot be used; the text never holds the value."""


def environment() -> dict[str, str]:
    """A copy of the environment of this process, for child processes to inherit."""
    return dict(os.environ)


def load(
    model: type[M],
    *,
    given: Mapping[str, str] = MappingProxyType({}),
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    secrets: Path = RUN_SECRETS,
) -> Loaded[M]:
    """The settings of `model`, or `SettingsFault` with every fault.

    `given` holds variables set on the command line; `environ` is the environment of the process unless given;
    `directory` (the working directory unless given) holds `.env` and `taskgate.toml`, and relative `NAME_FILE` paths
    start there.
    """
    place = Path() if directory is None else directory
    layers = {"command line": given, **_environment_layers(environment() if environ is None else environ)}
    layers[str(secrets)] = _secret_files(secrets)
    faults: list[str] = []
    for file, parse in ((".env", _dotenv), ("taskgate.toml", _toml)):
        try:
            layers[file] = parse(_text_of(place / file, "it", optional=True))
        except _Unusable as reason:
            faults.append(f"{file}: {reason}.")
    faults += _misspelled(layers)

    fields = {_variable(field): field for field in model.model_fields.values()}
    found: dict[str, Any] = {}
    sources = dict.fromkeys(fields, DEFAULT)
    reasons: dict[str, list[str]] = {}
    unusable = object()  # no type takes it: a rule that looks at another setting must not meet its default instead
    for variable, field in fields.items():
        try:
            value, sources[variable] = _first(variable, layers, place)
            if value != "":
                found[variable] = _parsed(field, value)
        except _Unusable as reason:
            found[variable] = unusable
            reasons[variable] = [str(reason)]

    settings, errors = _validated(model, found)
    for error in errors:
        variable = str(error["loc"][0]) if error["loc"] else ""
        if variable not in fields:
            faults.append(f"{_reason(error)}.")
        elif found.get(variable) is not unusable:
            reasons.setdefault(variable, []).append(_reason(error, fields[variable]))
    faults += [_fault(fields[name], sources[name], reasons[name]) for name in fields if name in reasons]
    if settings is None or faults:
        raise SettingsFault(tuple(faults))
    return Loaded(settings, MappingProxyType(sources))


def describe(model: type[Settings]) -> list[Description]:
    """Every setting of `model` in its order, for the reference."""
    return [
        Description(
            _variable(field),
            field.description or "",
            "required" if field.is_required() else _text(field.default),
            _is_secret(field),
        )
        for field in model.model_fields.values()
    ]


def show(loaded: Loaded[M]) -> list[Shown]:
    """Every setting in force: a secret is only `set` or `not set`, and URLs lose their passwords."""
    rows = []
    for name, field in type(loaded.settings).model_fields.items():
        value, variable = getattr(loaded.settings, name), _variable(field)
        text = ("set" if value else "not set") if _is_secret(field) else _URL_PASSWORD.sub(r"\1***@", _text(value))
        rows.append(Shown(variable, text, loaded.sources[variable]))
    return rows


# Where values come from


def _environment_layers(environ: Mapping[str, str]) -> dict[str, Mapping[str, Any]]:
    ours = {
        name: value
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and not _SERVICE_LINK.fullmatch(name)
    }
    aliases = {f"environment, {alias}": {own: environ.get(alias, "")} for alias, own in ALIASES.items()}
    return {"environment": ours, **aliases}


def _secret_files(secrets: Path) -> dict[str, Any]:
    with suppress(OSError):  # no such directory is the usual case
        present = {path.name for path in secrets.iterdir()}
        return {name: secrets / name.lower() for name in KNOWN if name.lower() in present}
    return {}


def _dotenv(text: str) -> dict[str, Any]:
    values, bad = {}, []
    for number, line in enumerate(text.split("\n"), start=1):
        if not (found := _ENV_LINE.match(line)):
            continue  # the file also serves other programs
        name, rest = found[1], found[2]
        if rest is None:
            bad.append(number)
        elif rest.strip()[:1] not in ("'", '"'):
            values[name] = re.sub(r"\s#.*", "", rest).strip()
        elif quoted := _QUOTED.fullmatch(rest.strip()):
            values[name] = quoted["literal"] if quoted["escaped"] is None else _unescaped(quoted["escaped"])
        else:
            bad.append(number)
    if bad:
        lines = ", ".join(map(str, bad))
        raise _Unusable(f"line {lines} cannot be read; write NAME=value on one line and close its quotes")
    return values


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r", "t": "\t"}.get(found[1], found[1]), text)


def _toml(text: str) -> dict[str, Any]:
    from tomllib import loads

    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unusable(f"is not TOML{_position(error)}") from error


def _text_of(path: Path, called: str, *, optional: bool = False) -> str:
    """The text of a file without one trailing newline."""
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n")
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError):
            return ""
        why = error.strerror
    except ValueError:
        why = "its name or its content is not UTF-8 text"
    # A secret may have been put where its file belongs, so the path is not repeated.
    raise _Unusable(f"{called} cannot be read: {why}")


def _first(variable: str, layers: Mapping[str, Mapping[str, Any]], place: Path) -> tuple[Any, str]:
    """The first value that is not empty, and its source."""
    for source, values in layers.items():
        value, file = values.get(variable, ""), values.get(f"{variable}_FILE", "")
        if value != "" and file != "":
            raise _Unusable(f"stands beside {variable}_FILE in {source}; keep one of the two")
        path = place / str(file) if file != "" else value
        if isinstance(path, Path):
            text = _text_of(path, f"the file named by {variable}_FILE ({source})" if file != "" else str(path))
            if text:
                return text, str(path)
        elif value != "":
            return value, source
    return "", DEFAULT


def _misspelled(layers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for source, values in layers.items():
        for name in values:
            if name not in _ACCEPTED:
                printable = name.encode("unicode_escape").decode("ascii")
                yield f"{printable} ({source}): is no setting; the nearest name is {_nearest(name)}."


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    alike = [known for known in _ACCEPTED if known.endswith("_FILE") == name.upper().endswith("_FILE")]
    return get_close_matches(name.upper(), alike, n=1, cutoff=0.0)[0]


# What a value has to be


def _form(kind: Any) -> Literal["text", "list", "json"]:
    """How a value of this type is written: as it stands, separated by commas, or as JSON."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Annotated, Union, UnionType):
        return _form(inner[0])
    plain = origin or kind
    if not isinstance(plain, type) or issubclass(plain, str | bytes):
        return "text"
    if issubclass(plain, Mapping | BaseModel) or is_dataclass(plain):
        return "json"
    if issubclass(plain, Sequence | Set):
        return "list" if all(_form(part) == "text" for part in inner) else "json"
    return "text"


def _parsed(field: FieldInfo, value: Any) -> Any:
    form = _form(field.annotation)
    if not isinstance(value, str) or form == "text":
        return value
    if form == "list" and not _JSON_LIST.match(value):
        return [item.strip() for item in value.split(",") if item.strip()]
    try:
        return from_json(value)
    except (ValueError, TypeError) as error:
        raise _Unusable(f"is not JSON{_position(error)}") from error


def _validated(model: type[M], found: Mapping[str, Any]) -> tuple[M | None, list[ErrorDetails]]:
    # The errors leave as data: an exception raised while handling the original would still carry the values.
    try:
        return model.model_validate(found), []
    except ValidationError as error:
        return None, error.errors(include_url=False, include_input=False)


# What is said about it


def _reason(error: ErrorDetails, field: FieldInfo | None = None) -> str:
    context = error.get("ctx", {})
    place = ".".join(map(str, error["loc"][1:]))
    if field and _is_secret(field):
        # Text made by validators may quote what they refuse; lengths and kinds do not.
        if any(name != "field_type" and not isinstance(part, int) for name, part in context.items()):
            return "is not acceptable"
        place = ""
    if field and error["type"] == "missing" and not place:
        return f"is required. {field.description}"
    text = str(context["error"]) if "error" in context else error["msg"]
    return f"{place}: {text}" if place else text


def _fault(field: FieldInfo, source: str, reasons: Sequence[str]) -> str:
    where = "" if source == DEFAULT else f" ({source})"
    text = "; ".join(dict.fromkeys(reason.rstrip(".") for reason in reasons))
    told = f"{_variable(field)}{where}: {text}."
    example = field.examples[0] if field.examples else NOTHING if _is_secret(field) else _text(field.get_default())
    return told if example == NOTHING else f"{told} Example: {_variable(field)}={example}"


def _position(error: Exception) -> str:
    found = re.search(r"line \d+,? column \d+", str(error))
    return f" at {found[0]}" if found else ""


def _text(value: Any) -> str:
    plain = to_jsonable_python(value, fallback=str)
    if plain is None or plain in ("", []):
        return NOTHING
    if isinstance(plain, list) and all(isinstance(item, str) for item in plain):
        return ", ".join(plain)
    return plain if isinstance(plain, str) else to_json(plain).decode()
