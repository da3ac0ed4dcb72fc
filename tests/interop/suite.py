"""The official conformance suite: one run of it, and what it found that we did not expect."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.javascript import Node

PROGRAM: Final = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
FAULTS: Final = ("FAILURE", "WARNING")

_COLOUR: Final = re.compile("\x1b\\[[0-9;]*m")
_SURPRISE: Final = re.compile(r"^  [✓✗] (\S+)$", re.MULTILINE)
_TIME: Final = re.compile(r"-\d{4}-\d\d-\d\dT[\dZ-]+$")


@dataclass(frozen=True, slots=True)
class Findings:
    """What differs from the list of what is expected to fail, a line each, and how many checks passed."""

    surprises: list[str]
    passed: int


async def run_suite(node: Node, folder: Path, *arguments: str, expected: Path | None = None) -> Findings:
    """Run it; the folder is for its records, and must be new."""
    baseline = ["--expected-failures", str(expected)] if expected is not None else []
    ended = await node.ended(PROGRAM, *arguments, "-o", str(folder), *baseline)
    checks = list(recorded(folder))
    passed = sum(status == "SUCCESS" for _, status, _ in checks)
    if ended.code == 0:
        return Findings([], passed)
    said = _COLOUR.sub("", ended.output)
    faults = {name: f"{name} {status}: {reason}" for name, status, reason in checks if status in FAULTS}
    surprises = []
    for found in _SURPRISE.findall(said):  # the suite names what surprised it, a check or a whole scenario, but not why
        mine = [fault for name, fault in faults.items() if found in (name, name.partition(":")[0])]
        surprises += mine or [f"{found} passes by now"]
    return Findings(surprises or [said, ended.errors], passed)


def recorded(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each check of these records as "scenario:check", how it ended, and why."""
    for file in sorted(folder.glob("*/checks.json")):
        scenario = _TIME.sub("", file.parent.name).removeprefix("server-")
        for check in json.loads(file.read_text(encoding="utf-8")):
            yield f"{scenario}:{check['id']}", check["status"], check.get("errorMessage") or check["description"]
