"""Names of passes: an encoder-decoder, and behind it which of its passes is meant."""

import re
from typing import Literal, NamedTuple

from specs.errors import SpecError, nearest
from specs.input_files import shown

# Of more, scores of all pairs of positions fill any machine.
MOST_POSITIONS = 16_384
# Longer numbers are too large whatever they are.
_DIGITS = 12
_NAME = re.compile(r"(.+?):(encoder|decoder)((?:,.*)?)")
_SIZES = {"encoder": ("positions",), "decoder": ("context", "positions")}
_EXAMPLES = {
    "encoder": "whisper-large-v3:encoder,positions=1500",
    "decoder": "whisper-large-v3:decoder,context=64,positions=1500",
}


class PassName(NamedTuple):
    """A pass of an encoder-decoder.

    Attributes
    ----------
    model
        Shipped name, or path of a config.json.
    stack
        Whether it is the pass of the encoder, or a token of the decoder.
    context
        Positions that a token attends to, itself included; None for as many as the
        model has.
    positions
        Positions of the encoder; None likewise.
    """

    model: str
    stack: Literal["encoder", "decoder"]
    context: int | None
    positions: int | None


def pass_name(text: str) -> PassName | None:
    """Return the pass of an encoder-decoder spec that a name says, None if it has none.

    Raises
    ------
    SpecError
        If a size behind it is unknown or not positive.

    Examples
    --------
    >>> pass_name("t5-small:decoder,context=8,positions=16")
    PassName(model='t5-small', stack='decoder', context=8, positions=16)
    """
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    model, stack, rest = match.groups()
    sizes: dict[str, int] = {}
    for part in rest.split(",")[1:]:
        key, _, value = part.partition("=")
        if key not in _SIZES[stack]:
            hint = nearest(key, _SIZES[stack])
            raise SpecError(
                f"workload {shown(text)}: {shown(key)} is no size of the {stack}'s "
                f"pass; {hint}"
            )
        if not (value.isascii() and value.isdecimal()) or not (
            0 < int(value[:_DIGITS]) <= MOST_POSITIONS
        ):
            raise SpecError(
                f"workload {shown(text)}: {key} must be a whole number from 1 to "
                f"{MOST_POSITIONS:,}, as in {_EXAMPLES[stack]}"
            )
        sizes[key] = int(value)
    named: Literal["encoder", "decoder"] = (
        "encoder" if stack == "encoder" else "decoder"
    )
    return PassName(model, named, sizes.get("context"), sizes.get("positions"))
