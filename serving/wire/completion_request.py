"""Body of ``POST /completions``."""

from typing import Annotated, Any, final

from pydantic import Discriminator, Field, Tag

from serving.wire.errors import invalid_request
from serving.wire.request_body import RequestBody, TextOrArray
from serving.wire.token_count import count_tokens, split_tokens

_MOST_TOKENS = 1_000_000
_TokenId = Annotated[int, Field(ge=0)]
_TokenIds = Annotated[list[_TokenId], Field(max_length=_MOST_TOKENS)]


def _element(value: Any) -> str:
    if isinstance(value, list):
        return "<tokens>"
    return "<text>" if isinstance(value, str) else "<token>"


_Element = Annotated[
    Annotated[str, Tag("<text>")]
    | Annotated[_TokenId, Tag("<token>")]
    | Annotated[_TokenIds, Tag("<tokens>")],
    Discriminator(_element),
]


@final
class CompletionRequest(RequestBody):
    """Body of a text completion: one prompt, as text or as numbers of tokens."""

    prompt: TextOrArray[str, Annotated[list[_Element], Field(max_length=_MOST_TOKENS)]]
    best_of: Annotated[int, Field(ge=1, le=1)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    suffix: str | None = None

    def check(self) -> None:
        """Refuse what made-up words cannot be.

        Raises
        ------
        WireError
            If probabilities, an echo or a suffix are asked for, or no token is given.
        """
        for name in ("echo", "logprobs", "suffix"):
            if getattr(self, name):
                raise invalid_request(
                    f"`{name}` is not supported with this model", param=name
                )
        parts = self.prompt if isinstance(self.prompt, list) else []
        if len(parts) > 1 and not all(isinstance(part, int) for part in parts):
            raise invalid_request(
                f"'prompt' : {len(parts)} prompts; send one at a time", param="prompt"
            )
        if not self.prompt_tokens():
            raise invalid_request("'prompt' : it has no token", param="prompt")

    def prompt_tokens(self) -> int:
        """Return the tokens of the prompt."""
        if isinstance(self.prompt, str):
            return count_tokens(self.prompt)
        return sum(
            count_tokens(part)
            if isinstance(part, str)
            else len(part)
            if isinstance(part, list)
            else 1
            for part in self.prompt
        )

    def prompt_pieces(self) -> list[str | int]:
        """Return the tokens of the prompt."""
        parts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        pieces: list[str | int] = []
        for part in parts:
            if isinstance(part, str):
                pieces += split_tokens(part)
            else:
                pieces += part if isinstance(part, list) else [part]
        return pieces

    def content_key(self) -> Any:
        """Return what the words of the answer depend on, beside the seed."""
        return self.prompt
