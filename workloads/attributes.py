"""Attributes of operators: what a function needs beyond the shapes of its operands."""

from dataclasses import dataclass
from enum import StrEnum
from typing import final

from specs.latent_attention import LatentAttention
from specs.linear_attention import LinearAttention
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.graph_attributes import (
    LookupRowsAttributes,
    MatrixProductAttributes,
    PairedProductAttributes,
    VectorAttributes,
)
from workloads.rotary import Rotary


class Rows(StrEnum):
    """Rows of each sequence that an operator reads."""

    ALL = "all"
    ANSWERED = "answered"
    FIRST = "first"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedAttributes:
    """Attributes of a lookup: the factor of the rows that it finds."""

    scale: float = 1.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TablesAttributes:
    """Attributes of the sum with tables: the row of the position table for position 0.

    The first row of a table of token types is added everywhere.
    """

    first_row: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NormAttributes:
    """Attributes of a normalisation over the columns.

    Parameters
    ----------
    epsilon
        Number added to the mean square or to the variance.
    centred
        Whether it is a LayerNorm, which subtracts the mean and adds a bias. Otherwise
        it only divides by the root mean square.
    unit_offset
        Whether the weights are stored as their difference from 1.
    rows
        Rows that are read.
    """

    epsilon: float
    centred: bool = False
    unit_offset: bool = False
    rows: Rows = Rows.ALL


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HeadNormAttributes:
    """Attributes of the normalisation of query and key heads.

    Parameters
    ----------
    head_dim
        Elements of a head.
    epsilon
        Number added to the mean square.
    biased
        Whether biases of queries and keys are added before.
    weighted
        Whether it has weights.
    unit_offset
        Whether the weights are stored as their difference from 1.
    whole
        Whether the mean square is that of all heads together, and each element has a
        weight of its own.
    """

    head_dim: int
    epsilon: float
    biased: bool = False
    weighted: bool = True
    unit_offset: bool = False
    whole: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAttributes:
    """Attributes of a matrix product.

    Parameters
    ----------
    rows
        Rows of the left operand that are read.
    lefts
        Left operands. With several there are as many matrices, and the result is the
        sum of their products: the operands side by side times the matrices side by
        side.
    """

    rows: Rows = Rows.ALL
    lefts: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAttributes:
    """Attributes of biases and rotation of queries, keys and values.

    Parameters
    ----------
    head_dim
        Elements of a head.
    rotary
        Rotation of queries and keys, None without.
    biased
        Whether a bias is added to queries, keys and values before the rotation.
    query_growth, growth_positions
        Growth of queries: at position p, from 0, they are multiplied by 1 plus
        `query_growth` times log(1 + floor((p + 1) / `growth_positions`)).
    latent
        Sizes of latent attention, whose key is behind the latent; None without.
    """

    head_dim: int
    rotary: Rotary | None = None
    biased: tuple[bool, bool, bool] = (False, False, False)
    query_growth: float = 0.0
    growth_positions: int = 1
    latent: LatentAttention | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionAttributes:
    """Attributes of the products of attention.

    Parameters
    ----------
    heads, kv_heads, head_dim
        Query heads, key/value heads, and elements of one head.
    scale
        Factor of the scores.
    soft_cap
        Bound c of the scores s, which become c tanh(s / c); None without.
    causal
        Whether a position attends to itself and earlier ones only.
    window
        Last positions that a position attends to, itself included; None for all.
    chunked
        Whether the window is a chunk: of those positions, it attends to the ones whose
        number has the same quotient by the window.
    latent
        Sizes of latent attention, whose operand is the latent; None without.
    alibi
        Factor of the biases that fall with the distance of a position, by a slope of
        each head; 0 without.
    """

    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    soft_cap: float | None = None
    causal: bool = True
    window: int | None = None
    chunked: bool = False
    latent: LatentAttention | None = None
    alibi: float = 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LinearAttributes:
    """Attributes of the functions of linear attention.

    Parameters
    ----------
    linear
        Sizes of its heads, and of its convolution.
    epsilon
        Number added to the sum of squares of a query or key, or to the mean square of
        what a value head recalls; 0 of a function without a norm.
    """

    linear: LinearAttention
    epsilon: float = 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AddAttributes:
    """Attributes of a sum: which of residual, bias and expert choice follow it.

    With a choice, the bias has a row for each expert. All but the residual is
    multiplied by `scale`.
    """

    residual: bool = True
    biased: bool = False
    chosen: bool = False
    scale: float = 1.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateAttributes:
    """Attributes of the largest logit.

    Parameters
    ----------
    soft_cap
        Bound of the logits, None without.
    divisor
        Number by which they are divided before it.
    biased
        Whether a bias is added to them before.
    """

    soft_cap: float | None = None
    divisor: float = 1.0
    biased: bool = False


Attributes = (
    EmbedAttributes
    | TablesAttributes
    | NormAttributes
    | HeadNormAttributes
    | ProductAttributes
    | PositionAttributes
    | AttentionAttributes
    | LinearAttributes
    | AddAttributes
    | ChoiceAttributes
    | ActivateAttributes
    | CandidateAttributes
    | MatrixProductAttributes
    | PairedProductAttributes
    | VectorAttributes
    | LookupRowsAttributes
)
