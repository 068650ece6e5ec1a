"""Faults of a request's body, told in the words of the wire.

The first fault is told, as the service does:
``'messages.0' : for 'role:user' the following must be satisfied[('messages.0.content' :
property 'content' is missing)]``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from serving.wire.errors import WireError, invalid_request
from specs.errors import nearest

_WORDS = {
    "string_type": "value must be a string",
    "int_type": "value must be an integer",
    "int_from_float": "value must be an integer",
    "float_type": "value must be a number",
    "finite_number": "value must be a finite number",
    "bool_type": "value must be a boolean",
    "list_type": "value must be an array",
    "dict_type": "value must be an object",
    "model_type": "value must be an object",
    "model_attributes_type": "value must be an object",
    "union_tag_not_found": "discriminator property 'role' is missing",
    "union_tag_invalid": "discriminator property 'role' has invalid value",
}
_RELATIONS = {
    "less_than_equal": "at most",
    "greater_than_equal": "at least",
    "greater_than": "more than",
}
# What a client wrote may be long, and stands in a log, too.
_MOST_ECHOED = 64


def _echo(name: object) -> str:
    text = str(name)
    return text if len(text) <= _MOST_ECHOED else text[:_MOST_ECHOED] + "..."


def _said(kind: str, details: Mapping[str, Any]) -> str:
    """Return what is wrong with a value."""
    if details.get("input") is None and kind.endswith("_type"):
        return "Value is not nullable"
    context = details.get("ctx", {})
    said = _WORDS.get(kind, str(details["msg"]))
    if kind == "literal_error":
        said = f"value is not one of the allowed values [{context['expected']}]"
    elif kind in _RELATIONS:
        bound = next(iter(context.values()))
        said = f"number must be {_RELATIONS[kind]} {bound:g}"
    elif kind == "too_short":
        said = f"minimum number of items is {context['min_length']}"
    elif kind == "too_long":
        said = f"maximum number of items is {context['max_length']}"
    return said


def body_fault(error: ValidationError, body: type[BaseModel]) -> WireError:
    """Return the refusal that tells the first fault of a body.

    Parameters
    ----------
    error
        Faults found.
    body
        What the body should be.
    """
    details = error.errors(include_url=False)[0]
    kind = details["type"]
    if kind in {"json_invalid", "json_type"}:
        return invalid_request(f"could not parse the body as JSON: {details['msg']}")
    place: Sequence[str | int] = [
        part for part in details["loc"] if not str(part).startswith("<")
    ]
    if not place:
        return invalid_request(f"the body: {_said(kind, details)}")
    role = None
    if place[0] == "messages" and len(place) > 2:  # noqa: PLR2004
        # The third part of the place is the role by which the message was read.
        role, place = place[2], (*place[:2], *place[3:])
    path = ".".join(_echo(part) for part in place)
    if kind == "extra_forbidden":
        *outer, last = place
        path = ".".join(_echo(part) for part in outer)
        said = f"property '{_echo(last)}' is unsupported"
        if not outer:
            said += _hint(str(last), body)
    elif kind == "missing":
        said = f"property '{place[-1]}' is missing"
    else:
        said = _said(kind, details)
    told = f"'{path}' : {said}" if path else said
    if role is not None:
        told = (
            f"'messages.{place[1]}' : for 'role:{role}' the following must be "
            f"satisfied[({told})]"
        )
    return invalid_request(told)


def _hint(name: str, body: type[BaseModel]) -> str:
    """Return a hint at the property that was meant, if one is close."""
    hint = nearest(name[:_MOST_ECHOED], body.model_fields)
    return f", {hint}" if hint.startswith("did you mean") else ""
