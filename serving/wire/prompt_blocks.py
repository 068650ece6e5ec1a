"""Prompt blocks: identities by which prompts that begin alike share a prefix cache."""

import hashlib
from collections.abc import Sequence


def prompt_blocks(tokens: Sequence[str | int], block_tokens: int) -> list[int]:
    """Return the identity of each whole block of a prompt.

    Two prompts have a block in common if they are equal up to its end.

    Parameters
    ----------
    tokens
        Tokens of the prompt.
    block_tokens
        Tokens of a block.

    Examples
    --------
    >>> one, other = prompt_blocks("abcdef", 2), prompt_blocks("abcdxy", 2)
    >>> [left == right for left, right in zip(one, other)]
    [True, True, False]
    """
    whole = len(tokens) // block_tokens * block_tokens
    digest, blocks = b"", list[int]()
    for begin in range(0, whole, block_tokens):
        block = repr(tokens[begin : begin + block_tokens])
        digest = hashlib.blake2b(digest + block.encode("utf-8", "replace")).digest()
        blocks.append(int.from_bytes(digest[:8], "little"))
    return blocks
