// The fabric map: a block for each rack, in it a line for each node and a cell for each chip.
const METRICS = {
  stage: { label: "stage", unit: "", of: (c, i) => (c.at("stage")[i] < 0 ? null : c.at("stage")[i]) },
  sram: {
    label: "SRAM in use", unit: "%",
    of: (c, i, run) => (run.view.capacity ? (100 * (run.view.capacity - c.at("free_bytes")[i])) / run.view.capacity : null),
  },
  busy: { label: "busy", unit: " cycles a token", of: (c, i) => c.at("busy_cycles")[i] },
  slack: { label: "least slack", unit: " cycles", of: (c, i) => c.at("least_slack_cycles")[i] },
  skew: { label: "drift removed", unit: " ps", of: (c, i) => c.at("max_skew_ps")[i] },
};
const MOST_IN_LINE = 32;

// Places of chips in cells: racks as blocks, nodes below each other, chips by slot.
function placedChips(chips) {
  const racks = new Map();
  for (let row = 0; row < chips.rows; row++) {
    const rack = chips.at("rack")[row], node = chips.at("node")[row];
    if (!racks.has(rack)) racks.set(rack, new Map());
    const nodes = racks.get(rack);
    if (!nodes.has(node)) nodes.set(node, []);
    nodes.get(node).push(row);
  }
  const ascending = (map) => [...map.entries()].sort((a, b) => a[0] - b[0]);
  let [wide, high] = [1, 1];
  const blocks = ascending(racks).map(([rack, nodes]) => {
    let line = 0;
    const cells = [];
    for (const [, rows] of ascending(nodes)) {
      rows.sort((a, b) => chips.at("slot")[a] - chips.at("slot")[b] || a - b);
      rows.forEach((row, place) => {
        cells.push({ row, x: place % MOST_IN_LINE, y: line + Math.floor(place / MOST_IN_LINE) });
        wide = Math.max(wide, (place % MOST_IN_LINE) + 1);
      });
      line += Math.ceil(rows.length / MOST_IN_LINE);
    }
    high = Math.max(high, line);
    return { rack, cells };
  });
  return { blocks, wide, high };
}

function arranged({ blocks, wide, high }, width) {
  const [gap, head] = [10, 16];
  for (let size = 22; ; size--) {
    const across = Math.max(1, Math.floor((width + gap) / (wide * size + gap)));
    const lines = Math.ceil(blocks.length / across);
    const height = lines * (high * size + head + gap);
    if ((height <= 620 && wide * size <= width) || size <= 2) return { size, across, height, gap, head };
  }
}

function fabricMap(panel, run, metric, scale, description) {
  const chips = run.chips;
  const placed = placedChips(chips);
  const value = (row) => metric.of(chips, row, run);
  const words = (row) =>
    `chip ${chips.at("chip")[row]}, rack ${chips.at("rack")[row]}, node ${chips.at("node")[row]}, slot ${chips.at("slot")[row]}: ` +
    (value(row) === null ? "nothing" : `${metric.label} ${shown(value(row))}${metric.unit}`);
  const details = el("div");
  const said = el("p", { class: "said", "aria-live": "polite" }, "A click, or arrow keys and Enter, shows the row of a chip.");
  let [cursor, pinned] = [-1, -1];
  const pin = (row) => {
    pinned = row;
    const facts = el("dl", { class: "row" });
    for (const name of chips.names)
      facts.append(el("div", {}, el("dt", {}, name), el("dd", {}, shown(chips.at(name)[row]))));
    const chip = chips.at("chip")[row];
    const links = run.links;
    const own = [];
    for (let index = 0; index < links.rows; index++)
      if (links.at("source")[index] === chip || links.at("target")[index] === chip)
        own.push(Object.fromEntries(links.names.map((name) => [name, links.at(name)[index]])));
    details.replaceChildren(el("h3", {}, `chip ${chip}`), facts);
    if (own.length) {
      const table = rowsTable(own);
      behind(details, `${own.length} of its links`, table);
    }
  };
  figure(panel, metric.label, metric.note, (width) => {
    const { size, across, height, gap, head } = arranged(placed, width);
    const { node, pen } = sharpCanvas(width, height);
    const inset = size > 5 ? 1 : size > 3 ? 0.5 : 0;
    const cells = [];
    placed.blocks.forEach((block, index) => {
      const left = (index % across) * (placed.wide * size + gap);
      const top = Math.floor(index / across) * (placed.high * size + head + gap) + head;
      for (const cell of block.cells)
        cells.push({ row: cell.row, x: left + cell.x * size, y: top + cell.y * size });
    });
    const draw = () => {
      pen.clearRect(0, 0, width, height);
      pen.fillStyle = colour("muted");
      pen.textAlign = "left";
      placed.blocks.forEach((block, index) => {
        const room = placed.wide * size;
        const text = room > 46 ? `rack ${block.rack}` : `${block.rack}`;
        if (room > 14)
          pen.fillText(text, (index % across) * (room + gap), Math.floor(index / across) * (placed.high * size + head + gap) + 11);
      });
      for (const { row, x, y } of cells) {
        pen.fillStyle = scale.colour(value(row));
        pen.fillRect(x, y, size - inset, size - inset);
      }
      for (const [row, name, line] of [[pinned, "ink", 2], [cursor, "focus", 2]]) {
        const cell = row < 0 ? null : cells.find((each) => each.row === row);
        if (!cell) continue;
        pen.strokeStyle = colour(name);
        pen.lineWidth = line;
        pen.strokeRect(cell.x - 1, cell.y - 1, size - inset + 2, size - inset + 2);
      }
    };
    const cellAt = (event) => {
      const box = node.getBoundingClientRect();
      const [px, py] = [event.clientX - box.left, event.clientY - box.top];
      return cells.find(({ x, y }) => px >= x && px < x + size && py >= y && py < y + size);
    };
    node.tabIndex = 0;
    node.setAttribute("role", "application");
    node.setAttribute("aria-label", `${description}. Arrow keys choose a chip, Enter shows its row.`);
    node.addEventListener("pointermove", (event) => {
      const cell = cellAt(event);
      if (cell) showTip(words(cell.row), event.clientX, event.clientY); else hideTip();
    });
    node.addEventListener("pointerleave", hideTip);
    node.addEventListener("click", (event) => {
      const cell = cellAt(event);
      if (!cell) return;
      cursor = cell.row;
      said.textContent = words(cell.row);
      pin(cell.row);
      draw();
    });
    node.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Enter" && cursor >= 0) { pin(cursor); draw(); return; }
      if (!way) return;
      event.preventDefault();
      const here = cells.find((cell) => cell.row === cursor);
      if (!here) cursor = cells[0].row;
      else {
        let best = Infinity;
        for (const cell of cells) {
          const [dx, dy] = [cell.x - here.x, cell.y - here.y];
          const along = dx * way[0] + dy * way[1];
          const aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
          if (along > 0 && along + 4 * aside < best) { best = along + 4 * aside; cursor = cell.row; }
        }
      }
      said.textContent = words(cursor);
      draw();
    });
    draw();
    return [scale.legend(metric), node];
  });
  panel.append(said, details);
}

// One scale of colours for all runs.
function heatScale(values, { stops = VIRIDIS, symmetric = false, late = false }) {
  const known = values.filter((value) => value !== null && value !== undefined);
  let low = known.length ? known.reduce((a, b) => Math.min(a, b)) : 0;
  let high = known.length ? known.reduce((a, b) => Math.max(a, b)) : 1;
  if (symmetric) { high = Math.max(Math.abs(low), Math.abs(high)); low = -high; }
  if (late) low = Math.max(low, 0);
  const share = (value) => (high > low ? (value - low) / (high - low) : 0.5);
  const some = (value) => value === null || value === undefined;
  return {
    colour: (value) => some(value) ? colour("void") : late && value < 0 ? colour("bad") : ramp(stops, share(value)),
    legend: (metric) => {
      const { node, pen } = sharpCanvas(140, 10);
      for (let x = 0; x < 140; x++) { pen.fillStyle = ramp(stops, x / 139); pen.fillRect(x, 0, 1.5, 10); }
      const none = el("i");
      none.style.background = "var(--void)";
      return el("div", { class: "legend" },
        el("span", { class: "ramp" }, shown(low), node, `${shown(high)}${metric.unit}`), el("span", {}, none, "nothing"),
        late && known.some((value) => value < 0) ? "red: late" : null);
    },
  };
}
