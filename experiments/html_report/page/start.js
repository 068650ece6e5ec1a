// Start: read what the page holds, make its sections, and follow the theme.
const root = document.documentElement;
const darkness = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");

function wear(name) {
  root.dataset.theme = name;
  theme.textContent = name === "dark" ? "light" : "dark";
  theme.setAttribute("aria-label", `show the ${theme.textContent} theme`);
  drawAll();
}

theme.addEventListener("click", () => wear(root.dataset.theme === "dark" ? "light" : "dark"));
darkness.addEventListener("change", () => wear(darkness.matches ? "dark" : "light"));
root.dataset.theme = darkness.matches ? "dark" : "light";
addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });
addEventListener("scroll", hideTip, { passive: true });

const runs = JSON.parse(document.getElementById("data").textContent);
const simulated = runs[0].view.kind === "simulation";
runs.forEach(simulated ? simulationRun : serviceRun);
for (const [name, make] of Object.entries(simulated ? SIMULATION : SERVICE)) {
  const place = document.querySelector(`#${name} .pictures`);
  if (place) make(place, runs);
}
wear(root.dataset.theme);
