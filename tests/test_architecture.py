"""The import rules. They are printed in docs/architecture.md from the constants below, so the page cannot go stale."""

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = ("shared", "mcp_server", "gateway")
DOCUMENT: Final = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rules: begin -->", "<!-- rules: end -->"

# Who may not import what. A name stands for itself and everything below it.
FORBIDDEN: Final = {
    "shared": ("mcp_server", "gateway", "fastmcp", "mcp", "mcp_types", "agents", "chatkit", "openai"),
    "mcp_server": ("gateway", "agents", "chatkit", "openai"),
    "mcp_server.tasks": ("fastmcp", "mcp", "mcp_types", "starlette"),
    "mcp_server.snapshot": ("fastmcp", "mcp", "mcp_types", "starlette"),
    "gateway": ("mcp_server", "fastmcp"),
}

# Sharp tools and the only places that touch them.
OWNERS: Final = {
    "jwt": ("shared.tokens",),
    "os.environ": ("shared.settings",),
    "create_async_engine": ("shared.engines",),
    "ctypes": ("mcp_server.snapshot.running.jail",),
    "alembic": ("shared.migrate", "mcp_server.migrations", "gateway.migrations"),
    "agents": (
        "gateway.agent",
        "gateway.front",
        "gateway.chat",
        "gateway.writing",
        "gateway.answering",
        "gateway.asking.ask_person",
        "gateway.client_tools",
        "gateway.history",
        "gateway.models",
        "gateway.offline",
        "gateway.titles",
        "gateway.app",
    ),
    "chatkit.widgets": ("gateway.widgets.card",),
}

# What is loaded into the processes in which people's SQL runs.
BESIDE_SQL: Final = (
    "mcp_server.snapshot.schema",
    *(f"mcp_server.snapshot.running.{name}" for name in ("fence", "jail", "frames", "worker")),
)

# Imports inside a package flow one way: a module may import those that stand before it.
ORDER: Final = {
    "shared": (
        "errors", "settings", "telemetry", "tokens", "engines", "db", "limits", "revocations", "migrate", "retention",
        "service",
        "asgi", "readiness", "serve", "private", "development", "commands", "cli",
    ),
    "shared.development": ("children", "directory", "issuer", "run"),
    "shared.commands": (
        "outcome", "installed", "reach", "credentials", "key_file", "running", "databases", "tokens", "keys",
        "in_place", "clients", "merging", "connect", "pruning", "people",
    ),
    "mcp_server.tasks": (
        "task", "words", "calendar", "tables", "positions", "spaces", "names", "sight", "rows", "refs", "cursors",
        "schedule", "custom", "filtering", "writing", "finding", "organizing", "sharing", "past", "transfer",
    ),
    "mcp_server.tasks.calendar": (
        "times", "days", "dates", "periods", "rules", "occurrences", "rule_words", "repeat",
    ),
    "mcp_server.tasks.filtering": (
        "tree", "terms", "grammar", "expansion", "bounds", "custom_terms", "conditions", "filters",
    ),
    "mcp_server.tasks.writing": (
        "images", "journal", "naming", "bench", "comments", "completions", "wishes", "relations", "wording", "adding",
        "editing", "completing", "deleting",
    ),
    "mcp_server.tasks.finding": ("orders", "find", "details", "overview"),
    "mcp_server.tasks.organizing": (
        "owned", "options", "floating", "settings", "views", "converting", "removing", "organizing",
    ),
    "mcp_server.tasks.sharing": ("people", "invitations", "sharing"),
    "mcp_server.tasks.past": (
        "merging", "conflicts", "fitting", "reverting_tasks", "reverting_names", "undoing", "history",
    ),
    "mcp_server.tasks.transfer": (
        "document", "faults", "columns", "table", "elements", "contentlines", "outline", "intake", "as_csv",
        "as_todoist", "as_json", "as_ics", "as_markdown", "formats", "namesakes", "identity", "matching", "links",
        "filling", "past", "exporting", "importing",
    ),
    "mcp_server.snapshot": ("schema", "version", "copying", "running", "teaching", "queries"),
    "mcp_server.snapshot.copying": ("clocks", "reading", "past", "staging", "building"),
    "mcp_server.snapshot.running": ("fence", "jail", "frames", "worker", "process", "turns", "workers"),
    "mcp_server.snapshot.teaching": ("words", "dialects", "naming", "opening", "syntax", "refusals"),
    "mcp_server.tools": (
        "wire", "synonyms", "repair", "confirming", "progress", "surface", "render", "receipts", "telling", "overview",
        "tasks", "organize", "journal", "sheets", "database", "transfer", "sharing", "offered",
    ),
    "mcp_server.prompts": ("asking", "menu"),
    "mcp_server.live": ("bell", "seeing", "touched", "news", "streams"),
    "mcp_server": (
        "settings", "migrations", "service", "tasks", "snapshot", "addresses", "icons", "budget", "answering", "access",
        "cancelling", "stepup", "board", "tools", "resources", "prompts", "completions", "live", "offered", "app",
        "__main__",
    ),
    "gateway.words": ("german",),
    "gateway.attachments": (
        "kinds", "keeping", "disk", "signing", "s3", "opening", "proofs", "rows", "handling", "reading", "sweeping",
        "routes",
    ),
    "gateway.store": ("statements", "threads", "leases", "waiting", "feedback"),
    "gateway.people": ("belonging", "passing", "pruning", "exporting", "own", "erasing", "tidying"),
    "gateway.questions": ("fields", "forms"),
    "gateway.offline": (
        "wishes", "when", "manners", "naming", "adding", "looking", "charting", "changing", "speech", "reckoning",
        "replies", "hearing", "asking", "plans", "thinking", "model",
    ),
    "gateway.models": ("client", "failing", "counting", "readable", "completions", "patience", "choosing"),
    "gateway.widgets": (
        "card", "plain", "reading", "parts", "wording", "counting", "deeds", "aftermath", "task_list", "task",
        "receipt", "timeline", "table", "chart", "generic", "confirming", "offers", "views",
    ),
    "gateway.answering": (
        "answer", "context", "ids", "cards", "steps", "earlier", "naming", "ending", "running", "stream",
    ),
    "gateway.asking": ("ask_person", "page_card", "asking"),
    "gateway.endpoints": ("page_context", "requests", "refusals", "chatkit", "api", "routes"),
    "gateway": (
        "choices", "places", "limits", "settings", "migrations", "service", "words", "turn", "tables", "items",
        "sealing", "attachments", "store", "notes", "oidc", "sessions", "people", "login", "connection", "questions",
        "approvals", "toolbox", "front", "composer", "offline", "models", "usage", "history", "dictation", "titles",
        "entities", "sources", "widgets", "answering", "asking", "client_tools", "agent", "actions", "beginning",
        "writing", "chat", "assets", "endpoints", "app", "__main__",
    ),
}  # fmt: skip


@cache
def modules() -> Sequence[tuple[str, ast.Module]]:
    """Every module of ours by its dotted name."""
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append((name, ast.parse(path.read_text(encoding="utf-8"))))
    return found


def imported(tree: ast.Module, *, at_import_time: bool = False) -> Iterator[str]:
    """What a module imports, as dotted names; `from a import b` is both `a` and `a.b`.

    `at_import_time` leaves out what is imported only for the type checker, or later, inside a function.
    """
    for node in _loaded(tree.body) if at_import_time else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _loaded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.Try):
            yield from node.body
        elif not isinstance(node, ast.If | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


def within(name: str, place: str) -> bool:
    """Whether a dotted name is that place or below it."""
    return name == place or name.startswith(f"{place}.")


def test_no_package_imports_what_it_must_not_know() -> None:
    broken = [
        f"{name} imports {found}"
        for name, tree in modules()
        for place, forbidden in FORBIDDEN.items()
        if within(name, place)
        for found in imported(tree)
        if any(within(found, stranger) for stranger in forbidden)
    ]
    assert not broken


def test_every_sharp_tool_has_one_owner() -> None:
    broken = [
        f"{name} imports {found}"
        for name, tree in modules()
        for tool, owners in OWNERS.items()
        if not any(within(name, owner) for owner in owners)
        for found in imported(tree)
        if within(found, tool) or found.endswith(f".{tool}")
    ]
    assert not broken


def test_what_runs_beside_peoples_sql_stands_on_the_standard_library_alone() -> None:
    """It is started without site packages, so that there is nothing else to load."""
    loaded = {*BESIDE_SQL, "mcp_server", "mcp_server.snapshot", "mcp_server.snapshot.running"}
    broken = [
        f"{name} imports {found}"
        for name, tree in modules()
        if name in loaded
        for found in imported(tree)
        if found.split(".")[0] not in sys.stdlib_module_names and not any(within(found, place) for place in BESIDE_SQL)
    ]
    assert not broken


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= {"shared.settings"}


@pytest.mark.parametrize("package", ORDER)
def test_imports_flow_one_way(package: str) -> None:
    order = ORDER[package]
    broken = []
    for name, tree in modules():
        here = _room(name, package, order)
        if here is None:
            continue
        for found in imported(tree, at_import_time=True):
            there = _room(found, package, order)
            if there is not None and order.index(there) > order.index(here):
                broken.append(f"{name} imports {found}")
    assert not broken


@pytest.mark.parametrize("package", ORDER)
def test_every_room_of_a_package_stands_in_its_order(package: str) -> None:
    folder = ROOT / package.replace(".", "/")
    rooms = {path.stem for path in folder.glob("*.py")} | {
        path.name for path in folder.iterdir() if path.is_dir() and (path / "__init__.py").exists()
    }
    assert rooms - {"__init__"} == set(ORDER[package])


def test_every_module_says_what_it_owns() -> None:
    silent = [name for name, tree in modules() if ast.get_docstring(tree) is None]
    assert not silent


def test_no_module_keeps_a_client_or_an_engine_of_its_own() -> None:
    """What is opened is opened by `app.py` and passed down."""
    makers = {"AsyncClient", "AsyncOpenAI", "Database", "Connection", "FastMCP", "create_async_engine", "Client"}
    kept = [
        f"{name} makes a {call.func.id}"
        for name, tree in modules()
        for statement in tree.body
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None
        for call in ast.walk(statement.value)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in makers
    ]
    assert not kept


def test_the_rules_are_printed_in_the_documentation(request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    expected = f"{before}{BEGIN}\n{rules()}\n{END}{after}"
    if request.config.getoption("--update-snapshots"):
        DOCUMENT.write_text(expected, encoding="utf-8")
        text = expected
    assert text == expected, "run pytest --update-snapshots"


def rules() -> str:
    """The rules as a reader wants them."""
    lines = ["What a package may never import:", ""]
    lines += [f"- `{place}`: {_list(forbidden)}" for place, forbidden in FORBIDDEN.items()]
    lines += ["", "Sharp tools, and who alone may touch them:", ""]
    lines += [f"- `{tool}`: {_list(owners) if owners else 'nobody yet'}" for tool, owners in OWNERS.items()]
    lines += ["", "Inside a package a module imports only those that stand before it:", ""]
    lines += [f"- `{package}`: {', '.join(order)}" for package, order in ORDER.items()]
    return "\n".join(lines)


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _room(name: str, package: str, order: tuple[str, ...]) -> str | None:
    if not name.startswith(f"{package}."):
        return None
    room = name.removeprefix(f"{package}.").split(".")[0]
    return room if room in order else None
