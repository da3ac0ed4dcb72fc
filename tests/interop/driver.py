"""The gateway's own connection as a program: it lists the tools at an address and calls them as the suite wishes."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import httpx2
from mcp import MCPError
from mcp_types import Tool

from gateway.connection import Connection

ECHO: Final = "json_schema_echo"


class Declaring(httpx2.AsyncBaseTransport):
    """Lets the suite's tools declare scopes: the gateway offers none that declares nothing."""

    def __init__(self) -> None:
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if json.loads(request.content)["method"] != "tools/list":
            return response
        content = (await response.aread()).replace(b'"inputSchema":', b'"_meta":{"taskgate/scopes":[]},"inputSchema":')
        headers = {"Content-Type": response.headers["content-type"]}
        return httpx2.Response(response.status_code, headers=headers, content=content, request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def arguments_for(tool: Tool, offered: Mapping[str, Tool]) -> dict[str, Any]:
    """Something for every argument that is required."""
    if tool.name == ECHO:
        [focal] = [other for name, other in offered.items() if name != ECHO]
        return {"schema": focal.input_schema}
    values = {"string": "text", "integer": 5, "number": 5, "boolean": True, "object": {}, "array": []}
    properties = tool.input_schema.get("properties", {})
    return {name: values.get(properties[name].get("type")) for name in tool.input_schema.get("required", ())}


async def main(url: str) -> None:
    """List the tools; then call what the suite names, or else all of them."""
    wishes = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    async with Connection(url, transport=Declaring()) as connection:
        offered = {tool.name: tool for tool in await connection.tools(token)}
        calls = {wish["name"]: wish["arguments"] for wish in wishes.get("toolCalls", ())}
        calls = calls or {name: arguments_for(tool, offered) for name, tool in offered.items()}
        for name, arguments in calls.items():
            try:
                print(await connection.call(await token(), name, arguments, {}))
            except MCPError as error:
                print(error)


async def token() -> str:
    """The suite does not look at it."""
    return "a token"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
