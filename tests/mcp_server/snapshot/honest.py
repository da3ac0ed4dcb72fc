"""All statements that must work, by what they are about."""

from collections.abc import Mapping
from typing import Final

from tests.mcp_server.snapshot.honest_counts import COUNTS
from tests.mcp_server.snapshot.honest_functions import FUNCTIONS
from tests.mcp_server.snapshot.honest_shapes import SHAPES
from tests.mcp_server.snapshot.honest_sql import Honest
from tests.mcp_server.snapshot.honest_times import TIMES
from tests.mcp_server.snapshot.honest_trees import TREES
from tests.mcp_server.snapshot.honest_trends import TRENDS

HONEST: Final[Mapping[str, tuple[Honest, ...]]] = {
    "counts": COUNTS,
    "times": TIMES,
    "trends": TRENDS,
    "trees": TREES,
    "shapes": SHAPES,
    "functions": FUNCTIONS,
}
