"""Specifications: models, machines, scenarios, operators and errors, as frozen values.

A field's name carries its unit. Files are TOML or a Hugging Face ``config.json``; every
number of a shipped machine names its source.

scenario: Scenario, load_scenario
machine, chip, system, link, synchronisation, fec, host_link, failover:
    MachineSpec and its parts
floor, line_rate: FloorSpec, LineRate
compiler: CompilerSpec; what a schedule may do at the same time
bit_errors, faults: errors of links, and fault scripts
model, transformer_shape, parameter_counts: ModelSpec, load_model, model_names
families: Family, load_family; what a ``model_type`` implies, a file each
numerical_settings: NumericalSettings; what changes a model's values and not its sizes
latent_attention, linear_attention: sizes of attention of other kinds
router: RouterSpec; how scores of experts become their weights
hf_config, config_values, config_layers: readers of config.json
checkpoint: reader of a checkpoint's index
formats, weight_formats: number formats of elements, and with scales
machine_formats, model_formats: those of a machine, and of a model's tensors
quantization, quantization_methods, quantization_rules, quantized_modules: readers of a
    config's quantization_config
devices, step_law: DeviceSpec, load_device, StepLaw; peaks and steps of other devices
pairing: PairingSpec, PairingLinkSpec, load_pairing; devices beside a machine, and the
    link between
cost: CostSpec, load_costs; prices and power with their sources
decode_work: decode_work, attention_work, head_work, for the bounds of devices
graph, graph_validation: tensors and operators of a workload, and their faults
vector_functions, vector_validation: functions of vector operators, and their faults
errors: RackError and its kinds
progress: report_progress, progress_told_to
validation, shipped_files: how specifications are checked and found
units, arrays: units of time and size; types of arrays, row_order
"""
