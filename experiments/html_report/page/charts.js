// Charts that both kinds of run share.

// One bar whose parts add up; `over` lies below it.
function stackedBar(width, { parts, high, mark, over, unit, description, xLabel, text }) {
  const frame = plot(width, over ? 104 : 84, { x: { low: 0, high }, xLabel, description, left: 12, top: 4 });
  let at = 0;
  for (const { name, label, value, note } of parts) {
    if (!value) continue;
    const [a, b] = [frame.xs(at), frame.xs(at + value)];
    frame.root.append(hinted(sv("rect", {
      class: "part", x: a, y: 8, width: Math.max(b - a - 0.8, 0.6), height: 30, style: null, fill: colour(name),
    }), `${label}: ${text(value)}${note ? ` (${note})` : ""}`));
    at += value;
  }
  if (over && over.value) {
    const b = frame.xs(over.value);
    frame.root.append(hinted(sv("rect", { class: "part", x: frame.xs(0), y: 42, width: b - frame.xs(0), height: 12, fill: colour(over.name), opacity: 0.45 }),
      `${over.label}: ${text(over.value)}`));
    frame.root.append(sv("text", { x: b + 6, y: 52 }, over.label));
  }
  if (mark) {
    const x = frame.xs(mark.value);
    frame.root.append(sv("line", { class: "mark", x1: x, x2: x, y1: 2, y2: 42 }));
    frame.root.append(hinted(sv("rect", { x: x - 4, y: 0, width: 8, height: 42, fill: "transparent" }), `${mark.label}: ${text(mark.value)}`));
  }
  return frame.root;
}

// Horizontal bars with names, the longest first; a second, fainter part may follow.
function namedBars(width, { rows, high, description, text }) {
  const left = Math.min(190, Math.max(96, width * 0.26));
  const right = 150;
  const height = rows.length * 21 + 4;
  const root = sv("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description });
  const x = linear(0, high || 1, left, width - right);
  rows.forEach(({ label, value, faint, name, note }, row) => {
    const y = row * 21 + 3;
    const letters = Math.floor(left / 6.6);
    root.append(sv("text", { x: left - 6, y: y + 12, "text-anchor": "end" }, label.length > letters ? `${label.slice(0, letters - 1)}…` : label));
    const bar = sv("g", { class: "line" });
    bar.append(sv("rect", { x: left, y, width: Math.max(x(value) - left, 0.6), height: 15, fill: colour(name) }));
    if (faint) bar.append(sv("rect", { x: x(value), y, width: x(faint) - left, height: 15, fill: colour(name), opacity: 0.35 }));
    root.append(hinted(bar, `${label}: ${text(value)}${note ? `; ${note}` : ""}`));
    root.append(sv("text", { class: "strong", x: x(value + (faint || 0)) + 6, y: y + 12 }, text(value)));
  });
  return root;
}

// Columns that stack parts, one column for each row of data.
function columnsChart(width, { columns, low = 0, high, mark, xLabel, yLabel, description, height = 210, text, first = 0, yText }) {
  const frame = plot(width, height, {
    x: { low: first - 0.5, high: first + columns.length - 0.5, text: (v) => (Number.isInteger(v) ? short(v) : "") },
    y: { low, high, text: yText }, xLabel, yLabel, description,
  });
  const wide = (frame.x1 - frame.x0) / Math.max(columns.length, 1);
  columns.forEach(({ parts, label }, index) => {
    let at = low;
    const column = sv("g", { class: "line" });
    for (const { name, value } of parts) {
      if (!value) continue;
      const [a, b] = [frame.ys(at), frame.ys(at + value)];
      column.append(sv("rect", {
        x: frame.x0 + index * wide, y: b, width: Math.max(wide - (wide > 4 ? 1 : 0), 0.5), height: Math.max(a - b, 0), fill: colour(name),
      }));
      at += value;
    }
    frame.root.append(hinted(column, `${label}: ${parts.filter((p) => p.value).map((p) => `${p.label} ${text(p.value)}`).join(", ")}`));
  });
  if (mark) {
    const y = frame.ys(mark.value);
    frame.root.append(sv("line", { class: "mark", x1: frame.x0, x2: frame.x1, y1: y, y2: y }));
    frame.root.append(sv("text", { class: "strong", x: frame.x1, y: y - 4, "text-anchor": "end" }, mark.label));
  }
  return frame.root;
}

// Steps: each line holds a value until its next point.
function stepLines(width, { lines, x, y, xLabel, yLabel, description, height = 230, marks = [] }) {
  const frame = plot(width, height, { x, y, xLabel, yLabel, description });
  for (const { value, label } of marks) {
    if (value < x.low || value > x.high) continue;
    frame.root.append(sv("line", { class: "mark", x1: frame.xs(value), x2: frame.xs(value), y1: frame.y0, y2: frame.y1 }));
    frame.root.append(sv("text", { class: "strong", x: frame.xs(value) + 4, y: frame.y1 + 10 }, label));
  }
  for (const { name, label, xs, ys, until } of lines) {
    if (!xs.length) continue;
    let path = `M${frame.xs(xs[0]).toFixed(1)} ${frame.ys(ys[0]).toFixed(1)}`;
    for (let index = 1; index < xs.length && xs[index] <= x.high; index++)
      path += `H${frame.xs(xs[index]).toFixed(1)}V${frame.ys(ys[index]).toFixed(1)}`;
    if (until !== undefined) path += `H${frame.xs(Math.min(until, x.high)).toFixed(1)}`;
    frame.root.append(hinted(sv("path", { d: path, fill: "none", stroke: colour(name), "stroke-width": 1.8 }), label));
  }
  return frame.root;
}
