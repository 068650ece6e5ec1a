"""Reply text: seeded words of the length that was asked for.

A simulated model computes times, no language. Its text is made of short English words
in sentences, one token a piece by the rule of :mod:`serving.wire.token_count`. The same
request has the same text, and a longer answer begins with the shorter one.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import final

# At most eight letters each, so that every word is one token.
_VOCABULARY = """
a able about above after again air all along also and answer any are ask at away back
be because been before begin below between both bring but by can carry change city
close come could country cut day did do down draw each early earth eat end enough even
ever every example eye face family far father feet few find first follow food for form
found four from get give go good great group grow had hand has have head hear help her
here high him his home house how idea if in into is it just keep kind know land large
last late learn leave left letter life light like line list little live long look made
make many may mean men might mile more most mother mountain move much must name near
need never new next night no not now number of off often old on once one only open or
other our out over own page paper part people place plant play point press public put
question quick read real right river room rule run said same saw say school sea second
see seem sentence set she should show side small so some song soon spell start state
step still stop story study such sun take talk tell than that the their them then
there these they thing think this those thought three through time to together too
took tree try turn two under until up us use very walk want was watch water way we
well went were what when where which while white who why will with without word work
world would write year you young your
"""
_WORDS = _VOCABULARY.split()
_SHORTEST_SENTENCE, _LONGEST_SENTENCE = 5, 14


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """Text of an answer, token by token.

    Parameters
    ----------
    pieces
        Text of each token that is shown; joined they are the text. After a stop the
        last piece may be a part of a token, and tokens of the stop are not shown.
    tokens
        Number of tokens that the model made, those of a stop included.
    finish_reason
        ``length`` if the limit ended the text, ``stop`` if anything else did.
    """

    pieces: tuple[str, ...]
    tokens: int
    finish_reason: str

    @property
    def text(self) -> str:
        """Return the whole text."""
        return "".join(self.pieces)


def text_seed(*parts: object) -> int:
    """Return a seed of texts that depends on every part and on nothing else."""
    digest = hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:8], "little")


def reply_pieces(seed: int, count: int) -> list[str]:
    """Return the texts of `count` tokens: words in sentences, and full stops.

    >>> len(reply_pieces(1, 100))
    100
    >>> reply_pieces(1, 100)[:10] == reply_pieces(1, 10)
    True
    """
    draw = random.Random(seed)
    pieces: list[str] = []
    while len(pieces) < count:
        words = draw.choices(
            _WORDS, k=draw.randint(_SHORTEST_SENTENCE, _LONGEST_SENTENCE)
        )
        words[0] = words[0].capitalize()
        pieces += [f" {word}" for word in words]
        pieces.append(".")
    if pieces:
        pieces[0] = pieces[0].lstrip()
    return pieces[:count]


def reply(seed: int, count: int, stops: Sequence[str] = (), *, limited: bool) -> Reply:
    """Return the reply of at most `count` tokens, which ends before the first stop.

    Parameters
    ----------
    seed
        Seed of the words.
    count
        Tokens to make unless a stop comes before.
    stops
        Texts before which the reply ends; the first to be complete ends it.
    limited
        Whether `count` is the limit of the request, not the model's own end.
    """
    pieces = reply_pieces(seed, count)
    text = "".join(pieces)
    ends = list(accumulate(map(len, pieces)))
    matches = [
        (text.find(stop) + len(stop), -len(stop)) for stop in stops if stop in text
    ]
    if not matches:
        return Reply(tuple(pieces), len(pieces), "length" if limited else "stop")
    complete_at, minus_length = min(matches)
    shown = complete_at + minus_length
    made = next(i for i, end in enumerate(ends, start=1) if end >= complete_at)
    kept = []
    for piece, end in zip(pieces[:made], ends, strict=False):
        begin = end - len(piece)
        if begin >= shown:
            break
        kept.append(piece[: shown - begin])
    return Reply(tuple(kept), made, "stop")
