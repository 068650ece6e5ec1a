"""Families of transformers: one TOML file for each ``model_type`` of a config.

A file says what is special about a family: its structure, the keys and the defaults of
its configuration class, and the names of its tensors in checkpoints. Reading of
configs, numerical settings, tensor names and operator graphs follow from it, so that a
family made of known parts needs no code.

family: Family, NormPlacement
config_keys: ConfigKeys
tensor_names: TensorNames
catalogue: FAMILIES, family_names, load_family
unmodelled: UNMODELLED, unmodelled_of, nearest_family
"""
