"""Body of ``POST /chat/completions``."""

import json
from typing import Annotated, Any, Literal, final

from pydantic import Field

from serving.wire.errors import invalid_request
from serving.wire.request_body import RequestBody, TextOrArray, Tokens, WireModel
from serving.wire.token_count import (
    MESSAGE_TOKENS,
    TEMPLATE_TOKENS,
    count_chat_tokens,
    count_tokens,
    split_tokens,
)

_MOST_MESSAGES = 2048
_MOST_TOOLS = 128


class TextPart(WireModel):
    """Part of a message that is text; pictures are not simulated."""

    type: Literal["text"]
    text: str


Content = TextOrArray[str, Annotated[list[TextPart], Field(min_length=1)]]


def _text(content: Content | None) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content)


class FunctionCall(WireModel):
    """Function that an earlier answer called."""

    name: str
    arguments: str


class ToolCall(WireModel):
    """Tool that an earlier answer called."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class InstructionMessage(WireModel):
    """Message of the system or of the developer."""

    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(WireModel):
    """Message of the user."""

    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantMessage(WireModel):
    """Earlier answer: a text, calls of tools, or both."""

    role: Literal["assistant"]
    content: Content | None = None
    name: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None


class ToolMessage(WireModel):
    """Result of a tool or function."""

    role: Literal["tool", "function"]
    content: Content
    tool_call_id: str | None = None
    name: str | None = None


Message = Annotated[
    InstructionMessage | UserMessage | AssistantMessage | ToolMessage,
    Field(discriminator="role"),
]


class Function(WireModel):
    """Function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(WireModel):
    """Tool that the model may call."""

    type: Literal["function"]
    function: Function


class ResponseFormat(WireModel):
    """Format of the answer; only text is simulated."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


@final
class ChatRequest(RequestBody):
    """Body of a chat completion."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=_MOST_MESSAGES)]
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: Annotated[list[Tool], Field(max_length=_MOST_TOOLS)] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    disable_tool_validation: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning_format: Literal["hidden", "raw", "parsed"] | None = None
    include_reasoning: bool | None = None
    citation_options: Literal["enabled", "disabled"] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None

    @property
    def token_limit(self) -> int | None:
        """Return the most tokens of the answer; the newer property counts."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def token_limit_name(self) -> str:
        """Return the name of the property that limits the answer."""
        return "max_completion_tokens" if self.max_completion_tokens else "max_tokens"

    def check(self) -> None:
        """Refuse what made-up words cannot be.

        Raises
        ------
        WireError
            If probabilities, JSON or a call of a tool are asked for.
        """
        if self.logprobs or self.top_logprobs:
            raise invalid_request(
                "`logprobs` is not supported with this model: its words are made up",
                param="logprobs",
            )
        if self.response_format and self.response_format.type != "text":
            raise invalid_request(
                f"response format `{self.response_format.type}` is not supported with "
                f"this model: its words are made up",
                param="response_format",
            )
        choice = self.tool_choice
        if isinstance(choice, dict) or choice not in {None, "none", "auto"}:
            raise invalid_request(
                "`tool_choice` must be `auto` or `none`: this model calls no tool",
                param="tool_choice",
            )

    def texts(self) -> list[str]:
        """Return the text of each message, with the calls of tools in it."""
        texts = []
        for message in self.messages:
            text = _text(message.content)
            if isinstance(message, AssistantMessage):
                calls = [call.function for call in message.tool_calls or []]
                if message.function_call:
                    calls.append(message.function_call)
                text += "".join(f"{call.name}{call.arguments}" for call in calls)
            texts.append(text)
        return texts

    def prompt_tokens(self) -> int:
        """Return the tokens of the prompt: texts, template and tools as JSON."""
        tools = [tool.model_dump(exclude_none=True) for tool in self.tools or []]
        told = count_tokens(json.dumps(tools)) if tools else 0
        return count_chat_tokens(self.texts()) + told

    def prompt_pieces(self) -> list[str | int]:
        """Return the tokens of the prompt, with marks for those of the template."""
        pieces: list[str | int] = ["<begin>"]
        if self.tools:
            tools = [tool.model_dump(exclude_none=True) for tool in self.tools]
            pieces += split_tokens(json.dumps(tools))
        for message, text in zip(self.messages, self.texts(), strict=True):
            pieces += [f"<{message.role}>"] * (MESSAGE_TOKENS - 1)
            pieces += split_tokens(text)
            pieces.append("<end>")
        return [*pieces, *["<answer>"] * (TEMPLATE_TOKENS - 1)]

    def content_key(self) -> Any:
        """Return what the words of the answer depend on, beside the seed."""
        return [
            (m.role, text) for m, text in zip(self.messages, self.texts(), strict=True)
        ]
