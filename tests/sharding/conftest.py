"""Small models of every family, for any property test that asks for a `ModelSpec`."""

from hypothesis import strategies as st

from specs.families import FAMILIES
from specs.model import ModelSpec


@st.composite
def small_models(draw: st.DrawFn) -> ModelSpec:
    family = draw(st.sampled_from(sorted(FAMILIES)))
    structure = FAMILIES[family]
    kv_heads = draw(st.integers(1, 5))
    experts = draw(st.integers(2, 4)) if family == "mixtral" else 1
    layers = draw(st.integers(1, 3))
    windowed = draw(st.sets(st.integers(0, layers - 1)))
    return ModelSpec(
        name="small",
        family=family,
        hidden_size=draw(st.integers(24, 48)),
        intermediate_size=draw(st.integers(9, 40)),
        layers=layers,
        attention_heads=kv_heads * draw(st.integers(1, 3)),
        kv_heads=kv_heads,
        head_dim=draw(st.integers(1, 8)),
        vocabulary_size=draw(st.integers(8, 50)),
        tied_embeddings=draw(st.booleans()) and not structure.encoder,
        experts=experts,
        experts_per_token=min(2, experts),
        max_context_tokens=1024,
        qkv_biases=draw(st.booleans()),
        output_biases=draw(st.booleans()),
        feed_forward_biases=draw(st.booleans()),
        position_rows=1024 if structure.learned_positions else 0,
        token_types=2 if structure.encoder else 0,
        window_tokens=draw(st.integers(1, 40)) if windowed else None,
        windowed_layers=tuple(sorted(windowed)),
    )


st.register_type_strategy(ModelSpec, small_models())
