// A strip: bars on lanes over time, with a window that zooms and pans, by pointer and by keys.
function strip(panel, {
  title, note, lanes, bars, domain, window: shownFirst, unit, describe, laneHeight = 30, left = 104, steps, description,
}) {
  let [from, to] = shownFirst;
  let at = -1;
  const said = el("p", { class: "said", "aria-live": "polite" });
  const order = bars.map((_, index) => index).sort((a, b) => bars[a].start - bars[b].start || a - b);
  let surface = null;
  const moved = (low, high) => {
    const span = Math.min(Math.max(high - low, steps || 1), domain[1] - domain[0]);
    from = Math.max(domain[0], Math.min(low, domain[1] - span));
    to = from + span;
    draw();
  };
  const zoom = (factor, middle = (from + to) / 2) =>
    moved(middle - (middle - from) * factor, middle + (to - middle) * factor);
  const pan = (share) => moved(from + (to - from) * share, to + (to - from) * share);
  const step = (by) => {
    const place = at < 0 ? order.findIndex((index) => bars[index].start >= from) : order.indexOf(at) + by;
    if (place < 0 || place >= order.length) return;
    at = order[place];
    const bar = bars[at];
    said.textContent = describe(bar);
    if (bar.start < from || bar.end > to) moved(bar.start - (to - from) * 0.1, bar.start + (to - from) * 0.9);
    else draw();
  };
  const keys = {
    ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25), "+": () => zoom(0.5), "=": () => zoom(0.5),
    "-": () => zoom(2), Home: () => moved(...domain), n: () => step(1), p: () => step(-1),
  };
  let draw = () => {};
  const button = (label, name, act) => el("button", { type: "button", "aria-label": name, title: name, onclick: act }, label);
  const controls = el("div", { class: "controls" },
    button("◀", "earlier", () => pan(-0.25)), button("▶", "later", () => pan(0.25)),
    button("+", "zoom in", () => zoom(0.5)), button("−", "zoom out", () => zoom(2)),
    button("all", "show all", () => moved(...domain)),
    button("‹", "bar before", () => step(-1)), button("›", "next bar", () => step(1)));
  const node = figure(panel, title, note, (width) => {
    const height = lanes.length * laneHeight + 26;
    surface = sharpCanvas(width, height);
    const { node: canvas, pen } = surface;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${description}. Arrow keys move, plus and minus zoom, Home shows all, n and p step.`);
    const plain = width - left - 8;
    const x = (value) => left + ((value - from) / (to - from)) * plain;
    draw = () => {
      pen.clearRect(0, 0, width, height);
      lanes.forEach((lane, index) => {
        if (lane.label === undefined) return;
        pen.fillStyle = colour("muted");
        pen.textAlign = "right";
        pen.fillText(lane.label, left - 8, index * laneHeight + laneHeight / 2 + 4);
      });
      pen.save();
      pen.beginPath();
      pen.rect(left, 0, plain, height);
      pen.clip();
      lanes.forEach((lane, index) => {
        pen.fillStyle = lane.ground ? colour(lane.ground) : colour("shade");
        pen.fillRect(left, index * laneHeight + 1, plain, laneHeight - 2);
      });
      for (const index of order) {
        const bar = bars[index];
        if (bar.end < from || bar.start > to) continue;
        const [a, b] = [x(bar.start), x(bar.end)];
        const y = bar.lane * laneHeight + 2;
        pen.globalAlpha = bar.faint ? 0.35 : 1;
        pen.fillStyle = colour(bar.colour);
        const wide = Math.max(b - a - (b - a > 4 && !bar.whole ? 0.6 : 0), 0.7);
        pen.fillRect(a, y, wide, Math.max(laneHeight - 4, 1));
        pen.globalAlpha = 1;
        if (index === at) {
          pen.strokeStyle = colour("ink");
          pen.lineWidth = 2;
          pen.strokeRect(a, y, Math.max(wide, 2), laneHeight - 4);
        }
        if (bar.label && laneHeight > 16 && b - a > pen.measureText(bar.label).width + 8) {
          pen.fillStyle = bar.faint ? colour("ink") : "#0c1014";
          pen.textAlign = "left";
          pen.fillText(bar.label, Math.max(a, left) + 4, y + laneHeight / 2 + 2);
        }
      }
      pen.restore();
      pen.fillStyle = colour("muted");
      pen.textAlign = "center";
      for (const tick of ticksOf(from, to, Math.max(2, Math.floor(plain / 90)))) {
        pen.fillRect(x(tick), lanes.length * laneHeight, 1, 4);
        pen.fillText(`${short(tick)}${unit}`, Math.min(Math.max(x(tick), left + 20), width - 30), lanes.length * laneHeight + 17);
      }
      node.dispatchEvent(new CustomEvent("window", { detail: [from, to] }));
    };
    const barAt = (event) => {
      const box = canvas.getBoundingClientRect();
      const lane = Math.floor((event.clientY - box.top) / laneHeight);
      const time = from + ((event.clientX - box.left - left) / plain) * (to - from);
      const near = ((to - from) / plain) * 2;
      let best = -1;
      for (let place = order.length - 1; place >= 0; place--) {
        const bar = bars[order[place]];
        if (bar.lane === lane && bar.start - near <= time && bar.end + near >= time) { best = order[place]; break; }
      }
      return best;
    };
    let grabbed = null;
    canvas.addEventListener("pointerdown", (event) => { grabbed = [event.clientX, from, to, false]; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointerup", (event) => {
      if (grabbed && !grabbed[3]) { at = barAt(event); said.textContent = at < 0 ? "" : describe(bars[at]); draw(); }
      grabbed = null;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (grabbed && (grabbed[3] || Math.abs(event.clientX - grabbed[0]) > 3)) {
        grabbed[3] = true;
        const shift = ((grabbed[0] - event.clientX) / plain) * (grabbed[2] - grabbed[1]);
        moved(grabbed[1] + shift, grabbed[2] + shift);
        return;
      }
      const over = barAt(event);
      if (over < 0) hideTip(); else showTip(describe(bars[over]), event.clientX, event.clientY);
    });
    canvas.addEventListener("pointerleave", hideTip);
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, from + ((event.clientX - box.left - left) / plain) * (to - from));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const act = keys[event.key];
      if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
    });
    draw();
    return canvas;
  });
  panel.append(controls, said);
  return { node, show: moved };
}
