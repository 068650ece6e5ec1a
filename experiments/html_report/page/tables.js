// The table behind a picture: sorted by a click on a head, and made when it is opened.
const FIRST_ROWS = 100;
const MORE_ROWS = 1000;

function tableOf(table, columns) {
  const order = Array.from({ length: table.rows }, (_, row) => row);
  const body = el("tbody");
  const more = el("button", { class: "more", type: "button" });
  let [until, sorted, down] = [FIRST_ROWS, null, false];
  const fill = () => {
    body.replaceChildren();
    for (const row of order.slice(0, until))
      body.append(el("tr", {}, ...columns.map(({ key, text, show }) =>
        el("td", { class: text ? "text" : null }, (show || shown)(table.at(key)[row])))));
    more.hidden = until >= order.length;
    more.textContent = `show ${Math.min(MORE_ROWS, order.length - until).toLocaleString("en-US")} more of ${order.length.toLocaleString("en-US")}`;
  };
  more.addEventListener("click", () => { until += MORE_ROWS; fill(); });
  const heads = columns.map(({ key, label, text }) => {
    const head = el("th", { class: text ? "text" : null, scope: "col" },
      el("button", { type: "button", onclick: () => sort(key, head) }, label || key));
    return head;
  });
  function sort(key, head) {
    down = sorted === key ? !down : false;
    sorted = key;
    const values = table.at(key);
    order.sort((a, b) => {
      const [p, q] = [values[a], values[b]];
      if (p === q) return a - b;
      if (p === null || p === undefined) return 1;
      if (q === null || q === undefined) return -1;
      return (p < q ? -1 : 1) * (down ? -1 : 1);
    });
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    fill();
  }
  fill();
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "table" },
    el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body), more);
}

function behind(panel, title, table, columns) {
  const details = el("details", {}, el("summary", {}, title));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1)
      details.append(tableOf(table, columns || table.names.map((key) => ({ key, text: typeof table.at(key)[0] === "string" }))));
  });
  panel.append(details);
  return details;
}

// Rows of objects as a table.
function rowsTable(rows) {
  const names = Object.keys(rows[0] || {});
  const columns = Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])]));
  return { rows: rows.length, names, at: (name) => columns[name] || [] };
}
