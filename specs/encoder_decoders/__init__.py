"""Encoder-decoders: models whose encoder is read by a decoder with cross attention.

stack_names: StackNames; names of the tensors of a checkpoint
family: EncoderDecoderFamily, load_encoder_decoder_family, encoder_decoder_families
shape: EncoderDecoder; sizes and parameter counts
reading: load_encoder_decoder, encoder_decoder_from_config, encoder_decoder_names,
    is_encoder_decoder
pass_names: PassName, pass_name; which pass of a model is a workload
"""
