"""Number formats of a machine: of weights, activations and the KV cache."""

from specs.errors import SpecError
from specs.formats import Format
from specs.validation import Spec
from specs.weight_formats import WeightFormatField


class FormatsSpec(Spec):
    """Number formats of weights, activations and the KV cache.

    Weights have those of the checkpoint instead if the model's config says that it is
    quantised, and so has the KV cache.
    """

    weights: WeightFormatField
    activations: Format
    kv_cache: Format

    @property
    def plain_weights(self) -> Format:
        """Return the format of the weights of a workload that is no model.

        Raises
        ------
        SpecError
            If it has scales, which only matrices of models are counted with.
        """
        if self.weights.scaled:
            raise SpecError(
                f"formats.weights = {self.weights}: weights of a workload's graph have "
                f"no scales; use formats.weights={self.weights.element.value}, or a "
                "model"
            )
        return self.weights.element
