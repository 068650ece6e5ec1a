// The sections of simulated runs.
const CAUSES = ["compute", "link", "guard", "alignment", "deskew", "fec", "wait", "replay", "failover"];
const KINDS = [["matmul", "matrix products"], ["vector", "vector operators"], ["lookup", "look-ups"], ["exchange", "exchanges"]];
const most = (runs, of) => runs.reduce((high, run) => Math.max(high, of(run)), 0);
const greatest = (values) => values.reduce((high, value) => (value > high ? value : high), 0);
const cyclesText = (run) => (cycles) => `${shown(Math.round(cycles))} cycles, ${shown((cycles / run.view.hz) * 1e6)} µs`;
const column = (key, label, more) => ({ key, label, ...more });

function simulationRun(run) {
  for (const name of ["chips", "links", "slack", "stages", "timeline", "operators", "tokens", "sram"])
    run[name] = unpacked(run.view[name]);
  const sum = Object.values(run.view.breakdown).reduce((a, b) => a + b, 0);
  run.cycles = sum;
  run.end = run.timeline.at("start_cycle").reduce((end, start, row) => Math.max(end, start + run.timeline.at("duration_cycles")[row]), 1);
}

function cyclesSection(place, runs) {
  const high = most(runs, (run) => run.cycles);
  panels(place, runs, (panel, run) => {
    const text = cyclesText(run);
    const { breakdown, schedule } = run.view;
    const rows = CAUSES.filter((name) => name in breakdown).map((name) => ({
      part: name, cycles: breakdown[name], time_us: (breakdown[name] / run.view.hz) * 1e6, share_percent: Number(((100 * breakdown[name]) / run.cycles).toFixed(2)),
    }));
    figure(panel, "A token by cause", `${text(run.cycles)}; dashed: no schedule of this plan is shorter`, (width) => [
      legend(rows.filter((row) => row.cycles).map((row) => [row.part, `${row.part} ${percent(row.cycles, run.cycles)}`])),
      stackedBar(width, {
        parts: rows.map((row) => ({ name: row.part, label: row.part, value: row.cycles, note: percent(row.cycles, run.cycles) })),
        high, mark: { value: schedule.lower_bound_cycles, label: "lower bound" }, text,
        over: { value: schedule.hidden_cycles, name: "exchange", label: `${shown(schedule.hidden_cycles)} cycles of exchanges hidden by computation` },
        description: "cycles of a token by cause", xLabel: "cycles",
      })]);
    behind(panel, "table of causes", rowsTable(rows));
    const operators = run.operators;
    const top = Array.from({ length: Math.min(12, operators.rows) }, (_, row) => row);
    const highest = most(runs, (each) => greatest(each.operators.at("path_cycles").map((path, row) => path + each.operators.at("hidden_cycles")[row])));
    figure(panel, "What the token waits for", "cycles of all operators of a name; faint: hidden by computation", (width) => [
      legend(KINDS),
      namedBars(width, {
        rows: top.map((row) => ({
          label: operators.at("name")[row], name: operators.at("kind")[row], value: operators.at("path_cycles")[row],
          faint: operators.at("hidden_cycles")[row],
          note: `${shown(operators.at("count")[row])} times, ${percent(operators.at("path_cycles")[row], run.cycles)} of the token, ${shown(operators.at("hidden_cycles")[row])} cycles hidden`,
        })),
        high: highest, text: (value) => `${shown(value)} (${percent(value, run.cycles)})`, description: "cycles by operator",
      })]);
    behind(panel, "table of operators", operators);
  });
}

function fabricSection(place, runs) {
  const body = el("div");
  let chosen = "stage";
  const notes = { stage: "chips that hold weights", sram: "of its capacity, KV cache at full context", busy: "cycles of one token in which MXM or VXM work",
    slack: "of the links to the chip", skew: "the most that one RUNTIME_DESKEW removed" };
  const show = () => {
    body.replaceChildren();
    const metric = { ...METRICS[chosen], note: notes[chosen] };
    const of = (run) => Array.from({ length: run.chips.rows }, (_, row) => metric.of(run.chips, row, run));
    const scale = heatScale(runs.flatMap(of), { late: chosen === "slack" });
    panels(body, runs, (panel, run) => {
      fabricMap(panel, run, metric, scale, `chips by ${metric.label}`);
      behind(panel, "table of chips", run.chips);
    });
    const [a, b] = runs;
    if (b && a.chips.rows === b.chips.rows && chosen !== "stage") {
      const change = { ...metric, label: `${metric.label}, B − A`, of: (_, row) => {
        const [x, y] = [of(a)[row], of(b)[row]];
        return x === null || y === null ? null : y - x;
      } };
      const [x, y] = [of(a), of(b)];
      const values = x.map((value, row) => (value === null || y[row] === null ? null : y[row] - value));
      change.of = (_, row) => values[row];
      const panel = el("div", { class: "panel" });
      body.append(panel);
      panel.style.marginTop = "1rem";
      fabricMap(panel, b, change, heatScale(values, { stops: BLUE_RED, symmetric: true }), `change of ${metric.label} by chip`);
    }
  };
  place.append(el("div", { class: "controls" },
    choice("colour by", Object.entries(METRICS).map(([name, { label }]) => [name, label]), chosen, (name) => { chosen = name; show(); })), body);
  show();
}

function slackSection(place, runs) {
  const all = runs.flatMap((run) => run.slack.at("slack_cycles"));
  const guard = most(runs, (run) => run.view.schedule.guard_cycles);
  const low = all.reduce((a, b) => Math.min(a, b), 0);
  const high = Math.max(greatest(all), guard) + 1;
  const wide = Math.max(1, Math.ceil((high - low) / 70));
  const start = Math.floor(low / wide) * wide;
  const bins = Math.max(1, Math.ceil((high - start) / wide));
  const levels = ["local", "rack", "global"];
  const counted = (run) => {
    const counts = Array.from({ length: bins }, () => ({ local: 0, rack: 0, global: 0 }));
    run.slack.at("slack_cycles").forEach((cycles, row) => {
      const bin = counts[Math.min(bins - 1, Math.floor((cycles - start) / wide))];
      bin[run.slack.at("level")[row]] = (bin[run.slack.at("level")[row]] || 0) + run.slack.at("links")[row];
    });
    return counts;
  };
  const tallest = most(runs, (run) => greatest(counted(run).map((bin) => levels.reduce((sum, name) => sum + bin[name], 0))));
  panels(place, runs, (panel, run) => {
    const counts = counted(run);
    figure(panel, "Least slack of each link", `${shown(run.view.used_links)} of ${shown(run.view.all_links)} directed links carry vectors; below 0 a vector is late`, (width) => {
      const frame = plot(width, 220, { x: { low: start, high: start + bins * wide }, y: { low: 0, high: tallest * 1.05 || 1 }, xLabel: "least slack (cycles)", yLabel: "links",
        description: "histogram of the least slack of links" });
      const band = run.view.schedule.guard_cycles;
      frame.root.insertBefore(sv("rect", { class: "ground", x: frame.xs(0), y: frame.y1, width: Math.max(0, frame.xs(band) - frame.xs(0)), height: frame.y0 - frame.y1 }), frame.root.firstChild);
      counts.forEach((bin, index) => {
        let at = 0;
        const group = sv("g", { class: "line" });
        for (const name of levels) {
          if (!bin[name]) continue;
          const [a, b] = [frame.ys(at), frame.ys(at + bin[name])];
          group.append(sv("rect", { x: frame.xs(start + index * wide), y: b, width: Math.max(frame.xs(wide + start) - frame.xs(start) - 1, 0.6), height: a - b, fill: colour(name) }));
          at += bin[name];
        }
        const from = start + index * wide;
        frame.root.append(hinted(group, `${from} to ${from + wide} cycles: ${levels.filter((name) => bin[name]).map((name) => `${bin[name]} ${name}`).join(", ")}`));
      });
      frame.root.append(sv("line", { class: "zero", x1: frame.xs(0), x2: frame.xs(0), y1: frame.y0, y2: frame.y1 }));
      return [legend([["local", "in a node"], ["rack", "between nodes"], ["global", "between racks"], ["shade", `guard band, ${band} cycles`]]), frame.root];
    });
    behind(panel, "table of the histogram", rowsTable(counts.map((bin, index) => ({ from_cycles: start + index * wide, to_cycles: start + (index + 1) * wide, ...bin })).filter((bin) => bin.local + bin.rack + bin.global)));
    const { links } = run;
    const worst = Array.from({ length: Math.min(10, links.rows) }, (_, row) => row).filter((row) => links.at("min_slack_cycles")[row] !== null);
    figure(panel, "Worst links", "of least slack", (width) => namedBars(width, {
      rows: worst.map((row) => ({
        label: `${links.at("source")[row]} → ${links.at("target")[row]}`, value: Math.max(0, links.at("min_slack_cycles")[row]), name: links.at("min_slack_cycles")[row] < 0 ? "bad" : links.at("level")[row],
        note: `link ${links.at("link")[row]}, ${links.at("level")[row]}, ${shown(links.at("length_m")[row])} m, ${shown(links.at("vectors")[row])} vectors, least slack ${shown(links.at("min_slack_cycles")[row])} cycles`,
      })),
      high: Math.max(guard, 1), text: (value) => `${shown(value)} cycles`, description: "links of least slack",
    }));
    behind(panel, run.view.used_links > links.rows ? `table of ${shown(links.rows)} links: least slack, then busiest` : "table of links", links);
  });
}

function tokensSection(place, runs) {
  const high = most(runs, (run) => greatest(run.tokens.at("latency_ps"))) / 1e6;
  const count = most(runs, (run) => run.tokens.rows);
  panels(place, runs, (panel, run) => {
    const { tokens } = run;
    const rows = Array.from({ length: count }, (_, row) => row);
    figure(panel, "Latency of each token", run.view.all_tokens > tokens.rows ? `the first ${shown(tokens.rows)} of ${shown(run.view.all_tokens)}` : "by cause", (width) => [
      legend(CAUSES.filter((name) => greatest(tokens.at(`${name}_ps`))).map((name) => [name, name])),
      columnsChart(width, {
        columns: rows.map((row) => row >= tokens.rows ? { label: "", parts: [] } : {
          label: `token ${tokens.at("token")[row]} of sequence ${tokens.at("sequence")[row]}: ${shown(tokens.at("latency_ps")[row] / 1e6)} µs`,
          parts: CAUSES.map((name) => ({ name, label: name, value: Math.max(0, tokens.at(`${name}_ps`)[row]) / 1e6 })),
        }),
        high: high * 1.05 || 1, xLabel: "delivered token", yLabel: "µs", description: "latency of tokens by cause", text: (value) => `${shown(value)} µs`,
      })]);
    behind(panel, "table of tokens", tokens);
  });
}

const SIMULATION = { cycles: cyclesSection, timeline: timelineSection, fabric: fabricSection, slack: slackSection, sram: sramSection, tokens: tokensSection };
