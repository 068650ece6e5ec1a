from experiments.report.encoder_decoder_sizes import encoder_decoder_sizes
from specs.encoder_decoders.reading import load_encoder_decoder
from specs.machine import load_machine

MACHINE = load_machine()


def test_a_small_model_fits_one_chip_in_both_passes() -> None:
    model = load_encoder_decoder("t5-small")
    assert model is not None
    sizes = encoder_decoder_sizes(model, MACHINE)
    assert (sizes.fewest_chips, sizes.least_chips, sizes.chips_text) == (1, 1, "1")
    # Keys and values of 6 layers, 512 wide, in two bytes, at 512 positions.
    assert sizes.kv_bytes_per_position == 2 * 6 * 512 * 2
    assert sizes.state_bytes_per_sequence == 512 * sizes.kv_bytes_per_position
    assert sizes.document()["parameters"] == 60_506_624


def test_of_a_large_model_a_bound_of_the_chips_is_said() -> None:
    model = load_encoder_decoder("whisper-large-v3")
    assert model is not None
    sizes = encoder_decoder_sizes(model, MACHINE)
    assert sizes.fewest_chips is None
    # Weights, own cache and cross keys and values of the decoder alone.
    assert sizes.chips_text == f">={sizes.least_chips}"
    assert sizes.least_chips * MACHINE.chip.sram_bytes > 868_011_520 + 245_760_000
