"""Published figures beside those of this program, for ``groqrack validate``.

all_rows: validation_rows, quick_rows, deployment_rows
published_figures: PublishedFigure, FigureKind, ToleranceBasis, published_figures,
    figures_of
comparison: Comparison, Outcome, compared, missed
report: REPORT_WIDTH, validation_report, number_text, published_text
link_round_trips: LinkMeasurement, TABLE_2, half_round_trips
matrix_product: product_rows, product_run, utilisation
network_latency: smallest_all_reduce, one_vector, first_spread_bytes
other_simulators: astra_all_reduce_cycles, booksim_cycles, booksim_mean_cycles,
    booksim_law
chip: link_rows, lstm_rows, model_rows
lpx: lpx_rows
network: latency_rows, bandwidth_rows, simulator_rows
timing: timing_rows
wiring: wiring_rows
"""
