"""Small models of every family, for any property test that asks for a `ModelSpec`."""

from hypothesis import strategies as st

from specs.model import NORMS_PER_LAYER, ModelSpec


@st.composite
def small_models(draw: st.DrawFn) -> ModelSpec:
    family = draw(st.sampled_from(sorted(NORMS_PER_LAYER)))
    kv_heads = draw(st.integers(1, 5))
    experts = draw(st.integers(2, 4)) if family == "mixtral" else 1
    return ModelSpec(
        name="small",
        family=family,
        hidden_size=draw(st.integers(24, 48)),
        intermediate_size=draw(st.integers(8, 40)),
        layers=draw(st.integers(1, 3)),
        attention_heads=kv_heads * draw(st.integers(1, 3)),
        kv_heads=kv_heads,
        head_dim=draw(st.integers(1, 8)),
        vocabulary_size=draw(st.integers(8, 50)),
        tied_embeddings=draw(st.booleans()),
        experts=experts,
        experts_per_token=min(2, experts),
        max_context_tokens=128,
    )


st.register_type_strategy(ModelSpec, small_models())
