// The sections of served requests.
const LATENCIES = [["ttft", "first token", "first"], ["tpot", "per token after it", "second"], ["queue", "in the queue", "fourth"], ["e2el", "end to end", "third"]];

function serviceRun(run) {
  run.requests = unpacked(run.view.requests);
  run.queue = unpacked(run.view.queue);
}

function latencySection(place, runs) {
  const values = runs.flatMap((run) => LATENCIES.flatMap(([name]) => run.view.latencies[name].latency_ms)).filter((value) => value > 0);
  const least = Math.max(values.reduce((a, b) => Math.min(a, b), Infinity), greatest(values) / 1e7);
  const x = { low: Number.isFinite(least) && least > 0 ? least : 0.001, high: greatest(values) || 1, log: true };
  panels(place, runs, (panel, run) => {
    const marks = Object.entries(run.view.slo).filter(([, value]) => value).map(([name, value]) => ({ value, label: name.replace("_ms", "") }));
    figure(panel, "Share of requests that are served so fast", marks.length ? "dashed: objectives" : "", (width) => [
      legend(LATENCIES.map(([, label, name]) => [name, label])),
      stepLines(width, {
        lines: LATENCIES.map(([name, label, tone]) => {
          const { latency_ms: ms, share } = run.view.latencies[name];
          return { name: tone, label, xs: ms, ys: share, until: x.high };
        }), x, y: { low: 0, high: 1.02, text: (value) => `${Math.round(value * 100)}%` }, xLabel: "latency (ms)", yLabel: "requests", marks, height: 280, description: "distribution of latencies",
      })]);
    behind(panel, "table of the distribution", rowsTable(LATENCIES.flatMap(([name, label]) =>
      run.view.latencies[name].latency_ms.map((ms, index) => ({ measure: label, latency_ms: ms, share: run.view.latencies[name].share[index] })))));
  });
}

function queueSection(place, runs) {
  const end = most(runs, (run) => greatest(run.queue.at("time_s")));
  const high = most(runs, (run) => greatest(run.queue.at("waiting_most")));
  panels(place, runs, (panel, run) => {
    figure(panel, "Requests that wait for a slot or a window", `in ${run.queue.rows} parts of the time`, (width) => [legend([["first", "on average"], ["fourth", "at most"]]), stepLines(width, {
      lines: [["fourth", "at most", "waiting_most"], ["first", "on average", "waiting_mean"]].map(([name, label, key]) => ({
        name, label, xs: run.queue.at("time_s"), ys: run.queue.at(key),
      })),
      x: { low: 0, high: end || 1 }, y: { low: 0, high: high * 1.05 || 1 }, xLabel: "time (s)", yLabel: "requests", description: "requests waiting over time",
    })]);
    behind(panel, "table of the queue", run.queue);
  });
}

function slotsSection(place, runs) {
  panels(place, runs, (panel, run) => {
    const { requests } = run;
    const at = (name, row) => requests.at(name)[row] / 1e12;
    const bars = [];
    const used = new Set();
    for (let row = 0; row < requests.rows; row++) {
      if (requests.at("outcome")[row] !== "completed" || requests.at("slot")[row] < 0) continue;
      const key = requests.at("replica")[row] * run.view.slots + requests.at("slot")[row];
      used.add(key);
      bars.push({ row, key, start: at("admitted_ps", row), end: at("first_token_ps", row), colour: "exchange", part: "prompt", label: "" });
      bars.push({ row, key, start: at("first_token_ps", row), end: at("end_ps", row), colour: "matmul", part: "decoding", label: String(requests.at("request")[row]) });
    }
    const keys = [...used].sort((a, b) => a - b);
    const place = new Map(keys.map((key, index) => [key, index]));
    for (const bar of bars) bar.lane = place.get(bar.key);
    if (!bars.length) { panel.append(el("p", { class: "said" }, "No request held a slot.")); return; }
    const end = bars.reduce((last, bar) => Math.max(last, bar.end), 0);
    const first = bars.slice(0, 400).reduce((last, bar) => Math.max(last, bar.end), 0);
    panel.append(legend([["exchange", "prompt"], ["matmul", "decoding"]]));
    strip(panel, {
      title: "Who has which slot", note: run.view.all_requests > requests.rows ? `the first ${shown(requests.rows)} of ${shown(run.view.all_requests)} requests` : "",
      lanes: keys.map((key) => ({ label: keys.length <= 40 || key % 10 === 0 ? `${Math.floor(key / run.view.slots) ? `replica ${Math.floor(key / run.view.slots)}, ` : ""}slot ${key % run.view.slots}` : undefined })),
      bars, domain: [0, end], window: [0, Math.min(first, end)], unit: " s", steps: end / 1e5, laneHeight: keys.length > 40 ? 8 : 18,
      describe: (bar) => `request ${requests.at("request")[bar.row]}, ${bar.part}: ${shown(bar.end - bar.start)} s from ${shown(bar.start)} s; ${shown(requests.at("prompt_tokens")[bar.row])} + ${shown(requests.at("output_tokens")[bar.row])} tokens`,
      description: "requests in slots over time",
    });
    behind(panel, "table of requests", requests);
  });
}

const SERVICE = { latencies: latencySection, queue: queueSection, slots: slotsSection };
