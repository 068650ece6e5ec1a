"""Step law: how long a step of continuous batching takes on a server."""

from pydantic import Field

from specs.validation import Spec


class StepLaw(Spec):
    """Law of a step: ``t = a + b n + c p`` for n sequences and p prompt positions.

    Parameters
    ----------
    devices
        Devices of the server.
    step_us, sequence_us, position_us
        The coefficients a, b and c.
    most_sequences
        Sequences that decode at a time.
    step_positions
        Positions of prompts in a step at most.
    jitter
        Relative deviation of a step's length, lognormal.
    """

    devices: int = Field(default=1, gt=0)
    step_us: float = Field(ge=0)
    sequence_us: float = Field(ge=0)
    position_us: float = Field(ge=0)
    most_sequences: int = Field(gt=0)
    step_positions: int = Field(gt=0)
    jitter: float = Field(ge=0, le=1)

    def mean_us(self, sequences: int, positions: int) -> float:
        """Return the mean length of a step, in us."""
        return (
            self.step_us + self.sequence_us * sequences + self.position_us * positions
        )
