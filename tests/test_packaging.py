"""What leaves the repository: the wheel, the images, the exact versions, and nothing of the machine it was made on."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from gateway.service import SERVICE as GATEWAY
from mcp_server.service import SERVICE as MCP
from shared.settings import KNOWN, describe, load
from shared.tokens import SigningKey

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("gateway", "mcp_server", "shared")
# What each image holds, and what serving it must not load even where it is installed.
IMAGES: Final = MappingProxyType(
    {
        "mcp": ("mcp_server", ("gateway", "agents", "openai", "chatkit")),
        "gateway": ("gateway", ("mcp_server", "fastmcp")),
    }
)
NEVER_TO_SERVE: Final = ("alembic", "redis", "opentelemetry.sdk", "shared.development")
SERVICES: Final = {"mcp": MCP, "gateway": GATEWAY}

REGISTRIES: Final = re.compile(
    r"pypi\.(?:org|python)|pythonhosted\.|npmjs\.|docker\.io|ghcr\.io|gcr\.io|quay\.io|jfrog\.|\bregistry\.\w+\.\w+"
    r"|--(?:extra-)?index-url|--find-link[s]|--trusted-hos[t]"
)
HOMES: Final = re.compile(r"/(?:home|Users)/\w|/roo[t]/")

# Run as in an image: only what is given is importable, and what the constraints list.
IN_AN_IMAGE: Final = """
import sys
sys.path[:0] = [sys.argv[1]]
sys.path.append(sys.argv[2])
import json
from importlib import import_module
from importlib.metadata import entry_points
import_module(sys.argv[3] + ".app")
[program] = entry_points(group="console_scripts", name="taskgate-" + sys.argv[4])
[service] = entry_points(group="taskgate.services", name=sys.argv[4])
from shared.cli import main
print(json.dumps([program.load().__module__, service.load().name, sorted(sys.modules)]))
sys.exit(main(["version"]))
"""


def repository() -> Iterator[Path]:
    """Every file that is not ignored."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()] + [".git"]
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(fnmatch(part, name) for part in parts for name in ignored):
            yield path


def built(folder: Path, *names: str) -> Path:
    """The wheel of a tree that holds only these."""
    for name in names:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "made"]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = (folder / "made").iterdir()
    return wheel


def held(wheel: Path) -> set[str]:
    with ZipFile(wheel) as opened:
        return set(opened.namelist())


def tops(names: set[str]) -> set[str]:
    """The top level of a wheel, without the version."""
    return {re.sub(r"-[\w.]+\.dist-info", ".dist-info", name.split("/")[0]) for name in names}


# The wheel


def test_a_wheel_holds_the_three_packages_whole_and_nothing_else(tmp_path: Path) -> None:
    names = held(built(tmp_path, "pyproject.toml", "README.md", "LICENSE", "tests", "docs", *PACKAGES))
    assert tops(names) == {*PACKAGES, "taskgate.dist-info"}
    ours = {str(path.relative_to(ROOT)) for path in repository() if path.relative_to(ROOT).parts[0] in PACKAGES}
    assert {name for name in names if ".dist-info/" not in name} == ours
    for needed in (
        "gateway/page/index.html",
        "gateway/instructions.md",
        "mcp_server/instructions.md",
        "mcp_server/board/board.html",
    ):
        assert needed in names
    for package in ("gateway", "mcp_server"):
        assert any(fnmatch(name, f"{package}/migrations/versions/*.py") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@dataclass(frozen=True, slots=True)
class Image:
    """What an image holds, and what became of its program there."""

    names: set[str]
    program: str
    service: str
    loaded: set[str]
    version: str


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """The package of each image, built from what its Dockerfile copies and tried where nothing else of ours is."""
    wheels, running = {}, {}
    for name, (package, _) in IMAGES.items():
        folder = tmp_path_factory.mktemp(name)
        wheels[name] = built(folder, *copied(name))
        with ZipFile(wheels[name]) as opened:
            opened.extractall(folder / "installed")
        arguments = [str(folder / "installed"), sysconfig.get_path("purelib"), package, name]
        command = [sys.executable, "-I", "-S", "-c", IN_AN_IMAGE, *arguments]
        running[name] = subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE)
    tried = {}
    for name, process in running.items():
        with process:
            printed, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        told, _, version = printed.partition("\n")
        program, service, loaded = json.loads(told)
        tried[name] = Image(held(wheels[name]), program, service, set(loaded), version)
    return tried


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_holds_its_own_service_and_runs_without_the_other(name: str, images: Mapping[str, Image]) -> None:
    image, package = images[name], IMAGES[name][0]
    assert tops(image.names) == {package, "shared", "taskgate.dist-info"}
    assert image.program == f"{package}.__main__"
    assert image.service == name
    assert re.findall(r"^schema of (\w+)", image.version, re.MULTILINE) == [name]


@pytest.mark.parametrize("name", IMAGES)
def test_serving_loads_nothing_it_does_not_need(name: str, images: Mapping[str, Image]) -> None:
    loaded = images[name].loaded
    assert f"{IMAGES[name][0]}.app" in loaded
    assert loaded.isdisjoint({*NEVER_TO_SERVE, *IMAGES[name][1]})


# The images


def steps(name: str) -> list[list[str]]:
    """The steps of a Dockerfile, each as its words."""
    text = (ROOT / f"Dockerfile.{name}").read_text().replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def copied(name: str) -> list[str]:
    """What a Dockerfile takes out of the repository."""
    sources = [step[1:-1] for step in steps(name) if step[0] == "COPY" and not step[1].startswith("--from=")]
    return [source for step in sources for source in step]


@pytest.mark.parametrize("name", IMAGES)
def test_a_dockerfile_takes_one_service_and_exact_versions(name: str) -> None:
    needed = {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "shared", IMAGES[name][0]}
    assert set(copied(name)) == needed
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert needed <= allowed
    installs = [" ".join(step) for step in steps(name) if step[0] == "RUN" and "install" in step]
    assert installs
    for install in installs:
        assert "-c constraints.txt" in install
        assert f".[{name}]" in install
    assert not any(step[0] == "ADD" for step in steps(name))


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_runs_its_program_as_nobody_in_particular(name: str) -> None:
    *_, last = (index for index, step in enumerate(steps(name)) if step[0] == "FROM")
    final = {step[0]: step[1] for step in steps(name)[last:] if step[0] in {"USER", "ENTRYPOINT"}}
    assert int(final["USER"]) >= 10_000
    assert json.loads(final["ENTRYPOINT"]) == [f"taskgate-{name}"]


def compose() -> dict[str, Any]:
    yaml: Any = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_compose_names_only_settings_and_secrets_that_exist() -> None:
    found = compose()
    for service in found["services"].values():
        secrets = service.get("secrets", [])
        assert set(secrets) <= found["secrets"].keys()
        for name, value in service.get("environment", {}).items():
            if name.startswith("TASKGATE_"):
                assert name.removesuffix("_FILE") in KNOWN
            if name.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in secrets
    asked_for = re.findall(r"\$\{(TASKGATE_\w+)", (ROOT / "compose.yaml").read_text())
    # They are set in the .env that the services read as well, and refuse when they do not know a name in it.
    assert set(asked_for) <= set(KNOWN)


@pytest.mark.parametrize("name", ["mcp", "gateway", "migrate-mcp", "migrate-gateway"])
def test_a_service_accepts_what_compose_tells_it(name: str, tmp_path: Path) -> None:
    issuers = json.dumps([{"issuer": "https://login.example.com", "jwks_uri": "https://login.example.com/jwks"}])
    secrets = {
        "mcp_database_url": "postgresql://taskgate_app:secret@postgres/taskgate",
        "gateway_database_url": "postgresql://taskgate_app:secret@postgres/taskgate",
        "owner_database_url": "postgresql://taskgate_owner:secret@postgres/taskgate",
        "mcp_issuers": issuers,
        "gateway_issuers": issuers,
        "state_keys": "0123456789abcdef0123456789abcdef",
        "session_keys": "0123456789abcdef0123456789abcdef",
        "signing_keys": json.dumps([SigningKey.generate().pem]),
    }
    dotenv = {"TASKGATE_MCP_URL": "https://tasks.example.com/mcp", "TASKGATE_GATEWAY_URL": "https://tasks.example.com"}
    service = compose()["services"][name]
    for secret in service["secrets"]:
        (tmp_path / secret).write_text(secrets[secret])
    told = {
        variable: re.sub(
            r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)\}",
            lambda found: dotenv.get(found[1], found[2] or ""),
            value.replace("/run/secrets", str(tmp_path)),
        )
        for variable, value in service["environment"].items()
    }
    loaded = load(SERVICES[name.removeprefix("migrate-")].settings, environ=told, directory=tmp_path, secrets=tmp_path)
    assert loaded.settings.mcp_url == dotenv["TASKGATE_MCP_URL"]
    assert loaded.settings.env == "production"


def test_every_known_setting_belongs_to_a_service_and_the_other_way_round() -> None:
    described = [row.variable for service in SERVICES.values() for row in describe(service.settings)]
    assert set(described) == set(KNOWN)


# The exact versions


def pinned() -> dict[str, str]:
    """Names and versions of constraints.txt."""
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        found = re.fullmatch(r"([a-z0-9]+(?:-[a-z0-9]+)*)==([0-9][\w.+!]*)(?: ; [^;@\[]+)?", line)
        assert found, f"{line!r} is no plain name==version"
        assert found[1] not in pins
        pins[found[1]] = found[2]
    return pins


def test_the_constraints_hold_an_exact_version_of_all_we_ask_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    lines = [*project["project"]["dependencies"], *project["build-system"]["requires"], *chain(*extras.values())]
    pins = pinned()
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name != "taskgate":
            assert requirement.specifier.contains(pins.get(name, "")), requirement


# The machine it was made on


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine() -> None:
    here = [str(path) for path in (ROOT, Path(sys.prefix)) if len(path.parts) > 2]
    found = []
    for path in repository():
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{path.relative_to(ROOT)}: {match[0]}" for match in [*REGISTRIES.finditer(text), *HOMES.finditer(text)]
        ]
        found += [f"{path.relative_to(ROOT)}: {place}" for place in here if place in text]
    assert not found
