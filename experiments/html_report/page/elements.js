// Elements of the page. Text goes in as text alone, never as markup: names come from files.
const SVG_SPACE = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

const el = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);
const sv = (tag, attributes, ...children) => filled(document.createElementNS(SVG_SPACE, tag), attributes, children);

// A number as people read it: all digits of whole numbers, four places of others.
function shown(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const places = Math.abs(value) >= 1000 ? 1 : Math.abs(value) >= 1 ? 3 : 6;
  return value.toLocaleString("en-US", { maximumFractionDigits: places });
}

const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)}%` : "–");
const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±") + shown(Math.abs(value));
const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString("en-US", { maximumFractionDigits: 3 })} MB`;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// A packed table: `rows`, and `at(column)` with the value of each row.
function unpacked(table) {
  const columns = {};
  for (const [name, { values, words, codes }] of Object.entries(table.columns))
    columns[name] = values || codes.map((code) => words[code]);
  return { rows: table.rows, names: Object.keys(columns), at: (name) => columns[name] };
}

const tip = el("div", { class: "tip", hidden: true });
document.body.append(tip);

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
}

const hideTip = () => { tip.hidden = true; };

function hinted(node, text) {
  node.addEventListener("pointermove", (event) => showTip(text, event.clientX, event.clientY));
  node.addEventListener("pointerleave", hideTip);
  return node;
}

// Each part of a section has a panel for each run; `make` fills one.
function panels(place, runs, make) {
  const grid = el("div", { class: runs.length > 1 ? "panels two" : "panels" });
  runs.forEach((run, index) => {
    const panel = el("div", { class: "panel" });
    if (runs.length > 1)
      panel.append(el("h3", {}, el("span", { class: "run" }, "AB"[index]), run.name));
    make(panel, run, index);
    grid.append(panel);
  });
  place.append(grid);
}

// A figure that is drawn again when its width or the theme changes.
const drawn = [];
function figure(panel, title, note, draw) {
  const body = el("div");
  const node = el("figure", {}, el("figcaption", {}, title, note ? el("small", {}, ` ${note}`) : null), body);
  panel.append(node);
  let last = 0;
  const again = () => {
    const width = Math.floor(body.clientWidth);
    if (!width) return;
    last = width;
    body.replaceChildren(...[draw(width)].flat().filter(Boolean));
  };
  new ResizeObserver(() => { if (Math.floor(body.clientWidth) !== last) again(); }).observe(body);
  drawn.push(again);
  return node;
}
const drawAll = () => drawn.forEach((again) => again());

function legend(items) {
  const list = el("ul", { class: "legend" });
  for (const [name, label] of items) {
    const mark = el("i");
    mark.style.background = `var(--${name})`;
    list.append(el("li", {}, mark, label));
  }
  return list;
}

function choice(title, options, chosen, change) {
  const group = el("fieldset", {}, el("legend", {}, title));
  const name = `choice-${choice.count = (choice.count || 0) + 1}`;
  for (const [value, label] of options)
    group.append(el("label", {},
      el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => change(value) }), label));
  return group;
}
