"""What is not modelled: config keys of mechanisms, and the name of each mechanism."""

UNMODELLED = {
    "alibi": "linear attention biases",
    "attn_layer_period": "layers that alternate with other kinds",
    "first_k_dense_replace": "dense layers before those of experts",
    "kv_lora_rank": "latent attention",
    "n_routed_experts": "routed beside shared experts",
    "num_decoder_layers": "a decoder beside its encoder",
    "parallel_attn": "attention and feed-forward side by side",
    "relative_attention_num_buckets": "relative attention biases",
    "ssm_cfg": "state-space layers",
    "state_size": "state-space layers",
    "text_config": "a language model beside another model",
    "use_parallel_residual": "attention and feed-forward side by side",
}
