"""Model list of the wire: what is served, and how much context each model has."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """Model under one of its names.

    Parameters
    ----------
    name
        Name that requests use.
    owner
        Who the model is from; our simulated machine.
    created_s
        Time since which it is served, in seconds of the Unix epoch.
    context_window
        Most tokens of a prompt and its answer together.
    max_completion_tokens
        Most tokens of an answer.
    """

    name: str
    owner: str
    created_s: int
    context_window: int
    max_completion_tokens: int

    def body(self) -> dict[str, Any]:
        """Return the model as ``GET /models/NAME`` answers."""
        return {
            "id": self.name,
            "object": "model",
            "created": self.created_s,
            "owned_by": self.owner,
            "active": True,
            "context_window": self.context_window,
            "public_apps": None,
            "max_completion_tokens": self.max_completion_tokens,
        }


def model_list(models: Iterable[ServedModel]) -> dict[str, Any]:
    """Return the body of ``GET /models``."""
    return {"object": "list", "data": [model.body() for model in models]}
