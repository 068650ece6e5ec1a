// The timeline of a token, and its critical path.
function stageSpans(run) {
  const { timeline } = run;
  const spans = new Map();
  for (let row = 0; row < timeline.rows; row++) {
    const stage = timeline.at("stage")[row];
    const span = spans.get(stage) || { compute: 0, exchange: 0, from: Infinity, to: 0 };
    span[timeline.at("kind")[row] === "exchange" ? "exchange" : "compute"] += timeline.at("path_cycles")[row];
    span.from = Math.min(span.from, timeline.at("start_cycle")[row]);
    span.to = Math.max(span.to, timeline.at("start_cycle")[row] + timeline.at("duration_cycles")[row]);
    spans.set(stage, span);
  }
  return new Map([...spans.entries()].sort((a, b) => a[0] - b[0]));
}

function timelineBars(run) {
  const { timeline } = run;
  const [starts, kinds] = [timeline.at("start_cycle"), timeline.at("kind")];
  const bars = [];
  for (let row = 0; row < timeline.rows; row++) {
    const exchange = kinds[row] === "exchange";
    bars.push({
      lane: exchange ? 1 : 0, row, start: starts[row], end: starts[row] + timeline.at("duration_cycles")[row],
      colour: kinds[row], faint: exchange, label: timeline.at("name")[row],
    });
  }
  return bars;
}

// The critical path in pieces: in each cycle a computation, else an exchange, else a stall.
function criticalPath(run) {
  const { timeline } = run;
  const rows = Array.from({ length: timeline.rows }, (_, row) => row);
  const start = (row) => timeline.at("start_cycle")[row];
  const end = (row) => start(row) + timeline.at("duration_cycles")[row];
  const pieces = [];
  const covered = (list) => {
    const spans = [];
    for (const row of list.sort((a, b) => start(a) - start(b))) {
      const from = Math.max(start(row), spans.length ? spans[spans.length - 1].end : 0);
      if (end(row) > from) spans.push({ row, start: from, end: end(row) });
    }
    return spans;
  };
  const computes = covered(rows.filter((row) => timeline.at("kind")[row] !== "exchange"));
  let place = 0;
  for (const span of covered(rows.filter((row) => timeline.at("kind")[row] === "exchange"))) {
    let from = span.start;
    while (place && computes[place - 1].end > from) place--;
    for (let at = place; at < computes.length && computes[at].start < span.end; at++) {
      if (computes[at].end <= from) { place = at; continue; }
      if (computes[at].start > from) pieces.push({ ...span, start: from, end: computes[at].start });
      from = Math.max(from, computes[at].end);
    }
    if (from < span.end) pieces.push({ ...span, start: from });
  }
  const bar = (lane) => (span) => ({ ...span, lane, colour: timeline.at("kind")[span.row], whole: true, label: "" });
  return [...computes, ...pieces].map(bar(2)).concat(pieces.map(bar(1)));
}

function timelineSection(place, runs) {
  const total = most(runs, (run) => run.end);
  const stages = most(runs, (run) => run.stages.rows);
  panels(place, runs, (panel, run) => {
    const { timeline } = run;
    const text = cyclesText(run);
    const spans = stageSpans(run);
    const describe = ({ row, lane, start, end }) =>
      `${timeline.at("name")[row]} (${timeline.at("kind")[row]}), stage ${timeline.at("stage")[row]}: from cycle ${shown(start)}, ${text(end - start)}` +
      (lane === 1 ? `, ${shown(timeline.at("hidden_cycles")[row])} cycles hidden by computation` : lane === 2 ? ", on the critical path" : "");
    figure(panel, "The token from stage to stage", `replica ${run.view.replica}; all cycles of one token`, (width) => {
      const height = Math.max(90, Math.min(230, stages * 4 + 44));
      const frame = plot(width, height, { x: { low: 0, high: total }, y: { low: stages, high: 0, text: (v) => (Number.isInteger(v) && v < stages ? v : "") },
        xLabel: "cycle of the token", yLabel: "stage", description: "stages of the token over time" });
      const thick = Math.max(1.5, (frame.y0 - frame.y1) / stages);
      for (const [stage, { from, to, compute, exchange }] of spans) {
        const y = frame.ys(stage) - 0;
        const group = sv("g", { class: "line" });
        const share = compute / (compute + exchange || 1);
        const [a, b] = [frame.xs(from), frame.xs(to)];
        group.append(sv("rect", { x: a, y, width: Math.max((b - a) * share, 0.6), height: thick, fill: colour("matmul") }));
        group.append(sv("rect", { x: a + (b - a) * share, y, width: Math.max((b - a) * (1 - share), 0), height: thick, fill: colour("exchange") }));
        group.addEventListener("click", () => detail.show(from, to));
        frame.root.append(hinted(group, `stage ${stage}: ${text(to - from)}, ${percent(exchange, compute + exchange)} exchanges not hidden; a click shows it below`));
      }
      return [legend([["matmul", "computes"], ["exchange", "exchanges that are not hidden"]]), frame.root];
    });
    const first = [...spans.values()].reduce((a, b) => (b.to - b.from > a.to - a.from ? b : a), { from: 0, to: 1 });
    panel.append(legend([...KINDS, ["stall", "waits or deskews"]]));
    const detail = strip(panel, {
      title: "What the chips do", note: "at first the slowest stage; faint: hidden by computation",
      lanes: [{ label: "compute" }, { label: "exchange" }, { label: "critical path", ground: "stall" }],
      bars: [...timelineBars(run), ...criticalPath(run)], domain: [0, run.end], window: [first.from, first.to], unit: "", steps: 40,
      describe, description: "operators and exchanges of the token over its cycles",
    });
    if (run.view.entries > timeline.rows)
      panel.append(el("p", { class: "said" }, `The first ${shown(timeline.rows)} of ${shown(run.view.entries)} entries; timeline.csv has all.`));
    const rows = [...spans].map(([stage, span]) => ({ stage, from_cycle: span.from, to_cycle: span.to, compute_cycles: span.compute, exchange_cycles: span.exchange }));
    behind(panel, "table of stages", rowsTable(rows));
    behind(panel, "table of all operators and phases", timeline);
  });
}
