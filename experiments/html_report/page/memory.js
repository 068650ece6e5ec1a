// What lies in SRAM.
// From just before a chip holds more than the least to just after.
function busySpan(run, rows) {
  const held = rows.map((row) => run.sram.at("activation_bytes")[row]);
  const least = held.reduce((a, b) => Math.min(a, b));
  const much = least + (greatest(held) - least) * 0.05;
  const busy = rows.map((_, place) => place).filter((place) => held[place] > much);
  const cycle = (place) => (place < rows.length ? run.sram.at("cycle")[rows[place]] : run.end);
  const [first, last] = busy.length ? [cycle(busy[0]), cycle(busy[busy.length - 1] + 1)] : [0, run.end];
  const margin = Math.max(20, (last - first) * 0.05);
  return [Math.max(0, first - margin), last + margin];
}

function rowsByChip(run) {
  const rows = new Map();
  run.sram.at("chip").forEach((chip, row) => {
    if (!rows.has(chip)) rows.set(chip, []);
    rows.get(chip).push(row);
  });
  return rows;
}

function sramSection(place, runs) {
  const capacity = most(runs, (run) => run.view.capacity);
  const stages = most(runs, (run) => run.stages.rows);
  const peak = most(runs, (run) => greatest(run.sram.at("activation_bytes")));
  const fullestChip = (run) => {
    let best = 0;
    run.sram.at("free_bytes").forEach((free, row) => { if (free < run.sram.at("free_bytes")[best]) best = row; });
    return run.sram.at("chip")[best];
  };
  // A chip works for a short part of the token; runs show parts of equal length.
  const longest = most(runs, (run) => {
    if (!run.sram.rows) return 0;
    const [from, to] = busySpan(run, rowsByChip(run).get(fullestChip(run)));
    return to - from;
  });
  panels(place, runs, (panel, run) => {
    const { chips, sram } = run;
    const parts = [["weights", "weight_bytes"], ["kv", "kv_bytes"], ["activations", "activation_bytes"], ["program", "program_bytes"]];
    const fullest = new Map();
    for (let row = 0; row < chips.rows; row++) {
      const stage = chips.at("stage")[row];
      const before = fullest.get(stage);
      if (stage >= 0 && (before === undefined || chips.at("free_bytes")[row] < chips.at("free_bytes")[before])) fullest.set(stage, row);
    }
    const rows = [...fullest].sort((a, b) => a[0] - b[0]);
    const names = { weights: "weights", kv: "KV cache", activations: "activations", program: "program" };
    figure(panel, "The fullest chip of each stage", `capacity ${megabytes(run.view.capacity)}`, (width) => [
      legend(Object.entries(names)),
      columnsChart(width, {
        columns: Array.from({ length: Math.max(stages, 1) }, (_, index) => rows[index]).map((pair) => pair === undefined ? { label: "", parts: [] } : {
          label: `stage ${pair[0]}, chip ${chips.at("chip")[pair[1]]}`,
          parts: parts.map(([name, key]) => ({ name, label: names[name], value: chips.at(key)[pair[1]] })),
        }),
        high: capacity * 1.06, mark: { value: run.view.capacity, label: "capacity" }, xLabel: "pipeline stage", yText: inMegabytes,
        description: "SRAM of the fullest chip of each stage", text: megabytes,
      })]);
    behind(panel, "table of the fullest chips", rowsTable(rows.map(([stage, row]) => ({ stage, ...Object.fromEntries(chips.names.filter((name) => name !== "stage").map((name) => [name, chips.at(name)[row]])) }))));
    const series = rowsByChip(run);
    const free = (chip) => series.get(chip).reduce((least, row) => Math.min(least, sram.at("free_bytes")[row]), Infinity);
    const order = [...series.keys()].sort((a, b) => a - b);
    if (!order.length) return;
    let chip = fullestChip(run);
    const picker = el("select", { "aria-label": "chip", onchange: (event) => { chip = Number(event.target.value); drawAll(); } },
      ...order.map((each) => el("option", { value: each, selected: each === chip }, `chip ${each}${each === chip ? ", the fullest" : ""}`)));
    const node = figure(panel, "Activations in SRAM over the token", "while the chip works", (width) => {
      const own = series.get(chip);
      const kept = own[0];
      const [from, end] = busySpan(run, own);
      const to = Math.max(end, from + longest);
      return [
        el("p", { class: "said" }, `chip ${chip}: beside ${megabytes(sram.at("weight_bytes")[kept])} of weights, ${megabytes(sram.at("kv_bytes")[kept])} of KV cache, ${megabytes(sram.at("program_bytes")[kept])} of program; least free ${megabytes(free(chip))}`),
        stepLines(width, {
          lines: [{ name: "activations", label: `chip ${chip}`, xs: own.map((row) => Math.max(sram.at("cycle")[row], from)), ys: own.map((row) => sram.at("activation_bytes")[row]), until: to }],
          x: { low: from, high: to }, y: { low: 0, high: peak * 1.06 || 1, text: inMegabytes }, xLabel: "cycle of the token", description: "activations in SRAM over time",
        })];
    });
    node.before(el("div", { class: "controls" }, picker));
    behind(panel, "table of SRAM over time", sram);
  });
}
