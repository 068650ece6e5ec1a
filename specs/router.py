"""Router of a mixture of experts: how scores become the weights of experts."""

from enum import StrEnum
from typing import Self, final

from pydantic import Field, model_validator

from specs.validation import Spec


class RouterScores(StrEnum):
    """Function that makes scores of the router's logits."""

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    # Expert after expert: a softmax over those that are near the best one.
    SPARSEMIXER = "sparsemixer"


@final
class RouterSpec(Spec):
    """Router: scores of experts, choice of the best, and weights of the chosen.

    Parameters
    ----------
    scores
        Function of the logits.
    before_choice
        Whether a softmax is taken over all experts, before some are chosen; otherwise
        over the chosen ones, whose weights then add up to 1.
    normalised
        Whether the weights of the chosen experts are divided by their sum.
    scale
        Factor of the weights.
    groups, groups_per_token
        Groups of experts of equal size, and those of them from which a token chooses.
    group_best
        Best experts of a group whose scores add up to the score of the group.
    tolerance
        Of ``sparsemixer``, how far below the best one an expert's logit may be to have
        a share, as a part of the larger magnitude of both.
    bias
        Whether a bias is added to the logits.
    correction
        Whether a correction is added to the scores for the choice alone: the weights
        are those of the scores without it.
    """

    scores: RouterScores = RouterScores.SOFTMAX
    before_choice: bool = False
    normalised: bool = False
    scale: float = Field(default=1.0, gt=0)
    groups: int = Field(default=1, gt=0)
    groups_per_token: int = Field(default=1, gt=0)
    group_best: int = Field(default=1, gt=0)
    tolerance: float = Field(default=0.0, ge=0)
    bias: bool = False
    correction: bool = False

    @model_validator(mode="after")
    def _chooses_from_groups_that_there_are(self) -> Self:
        if self.groups_per_token > self.groups:
            raise ValueError(
                f"a token cannot choose from {self.groups_per_token} of {self.groups} "
                "groups of experts"
            )
        return self

    @property
    def vectors(self) -> int:
        """Return the vectors of one number for each expert: bias and correction."""
        return self.bias + self.correction


# A softmax over the chosen experts, as Mixtral has it.
SOFTMAX_ROUTER = RouterSpec()
