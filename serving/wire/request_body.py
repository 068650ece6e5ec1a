"""What the bodies of a chat and of a text completion have in common."""

from abc import abstractmethod
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from serving.wire.body_faults import body_fault
from serving.wire.errors import WireError, completion_limit_exceeded

# More than any model's context; a number beyond it is a slip.
MOST_TOKENS = 10**9
# Names of models are short; what is refused is also logged.
_LONGEST_NAME = 512

Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS)]
Stop = Annotated[str, Field(min_length=1, max_length=1024)]
S = TypeVar("S")
L = TypeVar("L")


def _text_or_array(value: Any) -> str:
    return "<array>" if isinstance(value, list) else "<text>"


# A value that is a text or an array. The marks of the two stand in the place of a
# fault, in brackets, so that they can be told from properties.
TextOrArray = Annotated[
    Annotated[S, Tag("<text>")] | Annotated[L, Tag("<array>")],
    Discriminator(_text_or_array),
]
Tier = Literal["auto", "default", "on_demand", "flex", "performance"]
B = TypeVar("B", bound="RequestBody")


class WireModel(BaseModel):
    """Part of a body: unknown properties and wrong types are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


class StreamOptions(WireModel):
    """Options of a stream; ``continuous_usage_stats`` is vLLM's."""

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    include_obfuscation: bool | None = None


class RequestBody(WireModel):
    """Properties of both kinds of completion.

    Those that change words only (``temperature``, penalties and the like) are checked
    and have no effect: the words are made up. ``ignore_eos`` and ``min_tokens`` are
    vLLM's; an answer without a limit does not end before ``min_tokens``.
    """

    model: str = Field(max_length=_LONGEST_NAME)
    max_tokens: Tokens | None = None
    stop: TextOrArray[Stop, Annotated[list[Stop], Field(max_length=4)]] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    service_tier: Tier | None = None
    seed: int | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    ignore_eos: bool | None = None
    min_tokens: Annotated[int, Field(ge=0, le=MOST_TOKENS)] | None = None

    @property
    def token_limit(self) -> int | None:
        """Return the most tokens of the answer, if the request says how many."""
        return self.max_tokens

    @property
    def token_limit_name(self) -> str:
        """Return the name of the property that limits the answer."""
        return "max_tokens"

    @property
    def stops(self) -> list[str]:
        """Return the texts that end the answer."""
        if self.stop is None:
            return []
        return [self.stop] if isinstance(self.stop, str) else self.stop

    @property
    def tier(self) -> str:
        """Return the service tier; nothing and ``auto`` are the default tier."""
        named = self.service_tier
        return "on_demand" if named in {None, "auto", "default"} else str(named)

    @property
    def wants_usage_frame(self) -> bool:
        """Return whether a stream ends with a frame of the usage alone."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def wants_usage_so_far(self) -> bool:
        """Return whether each frame of a token has the usage so far."""
        options = self.stream_options
        return bool(options and options.continuous_usage_stats)

    @abstractmethod
    def check(self) -> None:
        """Refuse what made-up words cannot be."""

    @abstractmethod
    def prompt_tokens(self) -> int:
        """Return the number of tokens of the prompt."""

    @abstractmethod
    def prompt_pieces(self) -> list[str | int]:
        """Return the tokens of the prompt, so many as there are."""

    @abstractmethod
    def content_key(self) -> Any:
        """Return what the words of the answer depend on, beside the seed."""

    def answer_tokens(self, default: int, most: int) -> int:
        """Return the tokens to make: those asked for, or the model's own end.

        Parameters
        ----------
        default
            Tokens after which the model ends by itself.
        most
            Most tokens of an answer.

        Raises
        ------
        WireError
            If more are asked for than the model makes.
        """
        limit = self.token_limit
        if limit is None:
            return min(max(default, self.min_tokens or 1), most)
        if limit > most:
            raise completion_limit_exceeded(self.token_limit_name, most)
        return limit


def read_body(kind: type[B], content: bytes) -> B:
    """Return the body of a request.

    Raises
    ------
    WireError
        If it is not JSON, or not a body of this kind: with the first fault.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        fault: WireError = body_fault(error, kind)
    raise fault
