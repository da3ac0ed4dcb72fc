"""What the conformance suite wants to find at a server, offered by the product in place of its own tools.

Names and contents are the suite's. Everything around them is the product: its door, its guard, its kind of tool.
"""

import json
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastmcp import Context
from fastmcp.dependencies import CurrentContext
from fastmcp.prompts import Message, Prompt, PromptResult
from fastmcp.prompts.function_prompt import FunctionPrompt
from fastmcp.resources import BinaryResource, Resource, ResourceTemplate, TextResource
from fastmcp.server.completions import CompletionReference
from fastmcp.tools.base import ToolResult
from mcp import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CompletionArgument,
    CompletionContext,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    TextContent,
    TextResourceContents,
)

from mcp_server.tools.surface import TaskTool, make_tool, reads
from mcp_server.tools.wire import Face, closed
from shared.errors import Problem

Run = Callable[..., Awaitable[ToolResult | InputRequiredResult]]

PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"
SILENCE: Final = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAgICA"

ADDRESS: Final = {
    "$anchor": "addressDef",
    "type": "object",
    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
}
WHOLE_VOCABULARY: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": ADDRESS},
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

TheContext: Final[Context] = CurrentContext()


def component(name: str, run: Run, parameters: Mapping[str, Any] | None = None) -> TaskTool:
    """A tool of the product with this name, which only reads."""
    face = Face(name, f"{name}, for the conformance suite.", dict(parameters or closed({})), {})
    tool = make_tool(run, hints=reads, scope="tasks:read", view="receipt", face=face)
    return tool.model_copy(update={"name": name})


def _answering(*blocks: ContentBlock) -> Run:
    async def run() -> ToolResult:
        return ToolResult(content=list(blocks), structured_content={})

    return run


def said(text: str) -> ToolResult:
    """One line of text."""
    return ToolResult(content=[TextContent(type="text", text=text)], structured_content={})


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


async def _failing() -> ToolResult:
    raise Problem("bad_argument", "this tool refuses everything", "call another one")


async def _logging(context: Context = TheContext) -> ToolResult:
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.info(line)
    return said("Three lines were logged.")


async def _progressing(context: Context = TheContext) -> ToolResult:
    for done in (0, 50, 100):
        await context.report_progress(done, 100)
    return said("All steps are done.")


async def _needing_sampling(context: Context = TheContext) -> ToolResult:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this needs sampling", needed)
    return said("The client can sample.")


async def _headed(region: str) -> ToolResult:
    return said(f"The region is {region}.")


async def _typed(
    name: str = "",
    address: dict[str, str] | None = None,
    contactMethod: str = "",  # noqa: N803 (the suite's name)
    phone: str = "",
    email: str = "",
) -> ToolResult:
    return said(json.dumps([name, address, contactMethod, phone, email]))


def plain_tools() -> list[TaskTool]:
    """The tools that ask nobody anything."""
    image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
    audio = AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")
    text = TextContent(type="text", text="This is a simple text response for testing.")
    document = _embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    data = _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return [
        component("test_simple_text", _answering(text)),
        component("test_image_content", _answering(image)),
        component("test_audio_content", _answering(audio)),
        component("test_embedded_resource", _answering(document)),
        component("test_multiple_content_types", _answering(text, image, data)),
        component("test_tool_with_logging", _logging),
        component("test_logging_tool", _logging),
        component("test_error_handling", _failing),
        component("test_tool_with_progress", _progressing),
        component("test_missing_capability", _needing_sampling),
        component(
            "test_custom_header",
            _headed,
            closed({"region": {"type": "string", "x-mcp-header": "Region"}}, ["region"]),
        ),
        component("json_schema_2020_12_tool", _typed, WHOLE_VOCABULARY),
    ]


async def _with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


async def _with_resource(resourceUri: str) -> PromptResult:  # noqa: N803 (the suite's name)
    document = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return PromptResult([Message(document), Message("Please process the embedded resource above.")])


async def _with_image() -> PromptResult:
    image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
    return PromptResult([Message(image), Message("Please analyze the image above.")])


async def _simple() -> str:
    return "This is a simple prompt for testing."


def prompts() -> list[Prompt]:
    """The prompts that ask nobody anything."""
    found: dict[str, Callable[..., Any]] = {
        "test_simple_prompt": _simple,
        "test_prompt_with_arguments": _with_arguments,
        "test_prompt_with_embedded_resource": _with_resource,
        "test_prompt_with_image": _with_image,
    }
    return [FunctionPrompt.from_function(run, name=name, description=f"{name}.") for name, run in found.items()]


def resources() -> list[Resource]:
    """The resources."""
    text = "This is the content of the static text resource."
    return [
        TextResource(uri="test://static-text", name="text", mime_type="text/plain", text=text),
        BinaryResource(uri="test://static-binary", name="binary", mime_type="image/png", data=b64decode(PIXEL)),
        TextResource(uri="test://watched-resource", name="watched", mime_type="text/plain", text="Nothing happens."),
    ]


async def _from_template(id: str) -> str:  # noqa: A002 (the suite's name)
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def templates() -> list[ResourceTemplate]:
    """The one resource with a variable in its address."""
    return [
        ResourceTemplate.from_function(
            _from_template, "test://template/{id}/data", name="template", mime_type="application/json"
        )
    ]


async def complete(_: CompletionReference, argument: CompletionArgument, __: CompletionContext | None) -> list[str]:
    """The same for everything."""
    return [city for city in ("paris", "park", "party") if city.startswith(argument.value)]
