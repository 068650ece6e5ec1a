// Scales and axes.
function niceStep(span, most) {
  const rough = span / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) || power;
}

function ticksOf(low, high, most) {
  if (!(high > low)) return [low];
  const step = niceStep(high - low, most);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++)
    ticks.push(Number((index * step).toPrecision(12)));
  return ticks;
}

function linear(low, high, from, to) {
  const scale = (value) => from + ((value - low) / (high - low || 1)) * (to - from);
  scale.ticks = (most) => ticksOf(Math.min(low, high), Math.max(low, high), most);
  scale.low = low;
  scale.high = high;
  return scale;
}

function logarithmic(low, high, from, to) {
  const [a, b] = [Math.log10(low), Math.log10(high)];
  const scale = (value) => from + ((Math.log10(Math.max(value, low)) - a) / (b - a || 1)) * (to - from);
  scale.ticks = () => {
    const ticks = [];
    for (let power = Math.floor(a); power <= Math.ceil(b); power++)
      for (const factor of b - a < 2 ? [1, 2, 5] : [1]) {
        const value = Number((factor * 10 ** power).toPrecision(12));
        if (value >= low * 0.999 && value <= high * 1.001) ticks.push(value);
      }
    return ticks;
  };
  scale.low = low;
  scale.high = high;
  return scale;
}

function short(value) {
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]])
    if (size >= unit) return `${Number((value / (letter === "k" ? 1e3 : unit)).toPrecision(4))}${letter}`;
  return Number(value.toPrecision(4)).toLocaleString("en-US");
}

const inMegabytes = (bytes) => `${Number((bytes / 1e6).toPrecision(4)).toLocaleString("en-US")} MB`;

// The frame of a plot: room for ticks and labels, and functions to put things in it.
function plot(width, height, { x, y, xLabel, yLabel, description, left = 66, bottom = 36, top = 8, right = 12 }) {
  const root = sv("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": description });
  const [x0, x1, y0, y1] = [left, width - right, height - bottom, top];
  const xs = (x.log ? logarithmic : linear)(x.low, x.high, x0, x1);
  const ys = y ? linear(y.low, y.high, y0, y1) : null;
  for (const value of xs.ticks(Math.max(2, Math.floor((x1 - x0) / 80)))) {
    root.append(sv("line", { class: "axis", x1: xs(value), x2: xs(value), y1: y0, y2: y0 + 4 }));
    root.append(sv("text", { x: xs(value), y: y0 + 16, "text-anchor": "middle" }, (x.text || short)(value)));
  }
  if (ys) for (const value of ys.ticks(Math.max(2, Math.floor((y0 - y1) / 38)))) {
    root.append(sv("line", { class: "axis", x1: x0, x2: x1, y1: ys(value), y2: ys(value) }));
    root.append(sv("text", { x: x0 - 6, y: ys(value) + 4, "text-anchor": "end" }, (y.text || short)(value)));
  }
  root.append(sv("line", { class: "axis", x1: x0, x2: x1, y1: y0, y2: y0 }));
  if (xLabel) root.append(sv("text", { class: "strong", x: (x0 + x1) / 2, y: height - 4, "text-anchor": "middle" }, xLabel));
  if (yLabel) root.append(sv("text", {
    class: "strong", "text-anchor": "middle", transform: `translate(12 ${(y0 + y1) / 2}) rotate(-90)`,
  }, yLabel));
  return { root, xs, ys, x0, x1, y0, y1 };
}

// Viridis: read alike by all eyes, and in grey.
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
const BLUE_RED = [[33, 102, 172], [103, 169, 207], [209, 229, 240], [253, 219, 199], [239, 138, 98], [178, 24, 43]];

function ramp(stops, share) {
  const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const below = Math.min(Math.floor(place), stops.length - 2);
  const mixed = stops[below].map((part, index) =>
    Math.round(part + (stops[below + 1][index] - part) * (place - below)));
  return `rgb(${mixed.join(",")})`;
}

function sharpCanvas(width, height) {
  const node = el("canvas");
  const ratio = window.devicePixelRatio || 1;
  node.width = Math.round(width * ratio);
  node.height = Math.round(height * ratio);
  node.style.width = `${width}px`;
  node.style.height = `${height}px`;
  const pen = node.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "11.5px system-ui, sans-serif";
  return { node, pen };
}
