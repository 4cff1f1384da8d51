"use strict";
const FATES = JSON.parse(document.getElementById("fates").textContent);
const ROWS = new Map(JSON.parse(document.getElementById("rows").textContent).map(r => [r[0], r]));
const $ = id => document.getElementById(id);
const [ID, TITLE, FATE, MEAN, LOW, HIGH, RUNS, SECONDS, AT, REASON, STACKED] = Array(11).keys();

// Numbers as the rest of the page shows them.
function number(x) {
  const a = Math.abs(x);
  let t;
  if (x === 0) t = "0";
  else if (a >= 1e6 || a < 1e-4) t = x.toExponential(2).replace("e+", "e");
  else t = x.toFixed(Math.min(6, Math.max(0, 4 - Math.min(4, Math.floor(Math.log10(a)) + 1))));
  return t.replaceAll("-", "−");
}
const signed = x => (x > 0 ? "+" : "") + number(x);
function effect(r) {
  if (r[MEAN] === null) return "–";
  if (r[LOW] === null || r[HIGH] === null) return signed(r[MEAN]);
  // All to the place of the second figure of the interval's half.
  const places = 1 - Math.floor(Math.log10((r[HIGH] - r[LOW]) / 2));
  const text = x => places >= 0 && places <= 9 ? (x > 0 ? "+" : "") + x.toFixed(places).replace("-", "−") : signed(x);
  return `${text(r[MEAN])} [${text(r[LOW])}, ${text(r[HIGH])}]`;
}
function duration(s) {
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 172800 ? `${(s / 3600).toFixed(1)} h` : `${(s / 86400).toFixed(1)} days`;
}

// What dots are about: the nearest one to the pointer, or the next one by arrow keys.
const tip = $("tip");
const PLACES = new WeakMap();
function places(svg) {
  if (!PLACES.has(svg)) {
    const all = [];
    for (const path of svg.querySelectorAll(".dots path")) {
      const ids = path.dataset.ids.split(" ");
      const starts = path.getAttribute("d").match(/M-?[\d.]+ -?[\d.]+/g) || [];
      starts.forEach((m, i) => { const [x, y] = m.slice(1).split(" "); all.push([+x, +y, +ids[i]]); });
    }
    all.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    PLACES.set(svg, all);
  }
  return PLACES.get(svg);
}
function show(svg, dot) {
  const r = ROWS.get(dot[2]);
  const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
  let ring = svg.querySelector(".here");
  if (!ring) {
    ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    ring.setAttribute("class", "here"); ring.setAttribute("r", 7); svg.append(ring);
  }
  ring.setAttribute("cx", dot[0]); ring.setAttribute("cy", dot[1]);
  tip.replaceChildren();
  const line = (text, tag) => { const e = document.createElement(tag || "div"); const b = document.createElement("bdi"); b.textContent = text; e.append(b); tip.append(e); };
  line(`p${dot[2]} ` + (r ? r[TITLE] : ""), "strong");
  if (r) {
    line(FATES[r[FATE]][0] + (r[STACKED] ? ", in the unproven stack" : "") + (r[MEAN] === null ? "" : " · " + effect(r)));
    line(`${r[RUNS]} run${r[RUNS] === 1 ? "" : "s"} · ${duration(r[SECONDS])}`);
    if (r[REASON]) line(r[REASON]);
  }
  tip.hidden = false;
  const x = box.left + scrollX + dot[0] * scale, y = box.top + scrollY + dot[1] * scale;
  tip.style.left = Math.max(4, Math.min(x + 12, scrollX + document.documentElement.clientWidth - tip.offsetWidth - 4)) + "px";
  tip.style.top = (y + 14) + "px";
}
function hide(svg) { tip.hidden = true; if (svg) { const ring = svg.querySelector(".here"); if (ring) ring.remove(); } }
function nearest(svg, event) {
  const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
  const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale, all = places(svg);
  let low = 0, high = all.length;
  while (low < high) { const mid = (low + high) >> 1; if (all[mid][0] < x - 24) low = mid + 1; else high = mid; }
  let best = null, far = 24 * 24;
  for (let i = low; i < all.length && all[i][0] <= x + 24; i++) {
    const d = (all[i][0] - x) ** 2 + (all[i][1] - y) ** 2;
    if (d < far) { far = d; best = all[i]; }
  }
  return best;
}
function chart(box) {
  const svg = box.querySelector("svg");
  if (!svg || !svg.querySelector(".dots")) return;
  let at = -1;
  box.addEventListener("pointermove", e => { const dot = nearest(svg, e); dot ? show(svg, dot) : hide(svg); });
  box.addEventListener("pointerleave", () => hide(svg));
  box.addEventListener("blur", () => hide(svg));
  box.addEventListener("keydown", e => {
    const all = places(svg);
    if (e.key === "Escape") return hide(svg);
    if (!all.length || (e.key !== "ArrowRight" && e.key !== "ArrowLeft")) return;
    e.preventDefault();
    at = e.key === "ArrowRight" ? Math.min(all.length - 1, at + 1) : at < 0 ? all.length - 1 : Math.max(0, at - 1);
    show(svg, all[at]);
  });
}

// The table of all proposals.
const PAGE = 50;
const view = { key: "id", down: true, text: "", fate: "", page: 0 };
const KEYS = { id: ID, title: TITLE, fate: FATE, effect: MEAN, runs: RUNS, seconds: SECONDS };
function chosen() {
  const text = view.text.toLowerCase(), k = KEYS[view.key], sign = view.down ? -1 : 1;
  const rows = [...ROWS.values()].filter(r => (view.fate === "" || r[FATE] === +view.fate) &&
    (!text || ("p" + r[ID]).includes(text) || r[TITLE].toLowerCase().includes(text) || r[REASON].toLowerCase().includes(text)));
  return rows.sort((a, b) => {
    const [x, y] = [a[k], b[k]];
    if (x === null || y === null) return (x === null) - (y === null) || b[ID] - a[ID]; // those without a number last
    return sign * (x < y ? -1 : x > y ? 1 : 0) || b[ID] - a[ID];
  });
}
function table() {
  const body = document.querySelector("#all tbody");
  if (!body) return;
  const rows = chosen(), pages = Math.max(1, Math.ceil(rows.length / PAGE));
  view.page = Math.min(view.page, pages - 1);
  const cell = (text, name) => { const td = document.createElement("td"); if (name) td.className = name; const b = document.createElement("bdi"); b.textContent = text; td.append(b); return td; };
  body.replaceChildren(...rows.slice(view.page * PAGE, (view.page + 1) * PAGE).map(r => {
    const tr = document.createElement("tr"), title = cell(r[TITLE]), fate = document.createElement("td"), name = document.createElement("span");
    if (r[REASON] && r[FATE] !== 8) { const p = document.createElement("p"); p.className = "quiet"; const b = document.createElement("bdi"); b.textContent = r[REASON]; p.append(b); title.append(p); }
    name.className = "fate " + FATES[r[FATE]][1]; name.textContent = FATES[r[FATE]][0] + (r[STACKED] ? ", in the stack" : ""); fate.append(name);
    tr.append(cell("p" + r[ID], "id"), title, fate, cell(effect(r), "n"), cell(r[RUNS], "n"), cell(duration(r[SECONDS]), "n"));
    return tr;
  }));
  $("found").textContent = `${rows.length} of ${ROWS.size}`;
  const button = (text, to, off) => { const b = document.createElement("button"); b.type = "button"; b.textContent = text; b.disabled = off; b.onclick = () => { view.page = to; table(); }; return b; };
  const where = document.createElement("span");
  where.textContent = `page ${view.page + 1} of ${pages}`;
  $("pages").replaceChildren(...(pages > 1 ? [button("Previous", view.page - 1, !view.page), where, button("Next", view.page + 1, view.page === pages - 1)] : []));
  for (const th of document.querySelectorAll("#all th")) th.setAttribute("aria-sort", th.dataset.key === view.key ? (view.down ? "descending" : "ascending") : "none");
}
function controls() {
  const form = $("filter");
  if (!form) return;
  form.hidden = false;
  form.onsubmit = e => e.preventDefault();
  for (const [i, [name]] of [...FATES.entries()].reverse()) { const o = document.createElement("option"); o.value = i; o.textContent = name; $("fate").append(o); }
  $("find").oninput = e => { view.text = e.target.value; view.page = 0; table(); };
  $("fate").onchange = e => { view.fate = e.target.value; view.page = 0; table(); };
  for (const th of document.querySelectorAll("#all th")) {
    const b = document.createElement("button"); b.type = "button"; b.textContent = th.textContent;
    b.onclick = () => { view.down = view.key === th.dataset.key ? !view.down : th.dataset.key !== "title"; view.key = th.dataset.key; table(); };
    th.replaceChildren(b);
  }
  table();
}
document.querySelectorAll(".chart").forEach(chart);
controls();
// On paper nothing can be unfolded.
let folded = [];
addEventListener("beforeprint", () => { folded = [...document.querySelectorAll("#kept details:not([open])")]; folded.forEach(d => { d.open = true; }); });
addEventListener("afterprint", () => { folded.forEach(d => { d.open = false; }); });

// News of a study that runs: parts of the page that changed, and rows that are new or changed.
function live(look) {
  const news = new EventSource("events?look=" + look), state = $("live");
  const when = () => new Date().toLocaleTimeString();
  news.addEventListener("part", e => {
    const { id, html } = JSON.parse(e.data), body = document.querySelector(`#${id} > .body`);
    if (!body) return location.reload(); // a part that was not there when the page was made
    const open = [...body.querySelectorAll("details")].map(d => d.open);
    body.innerHTML = html; // made by the server with every text escaped
    body.querySelectorAll("details").forEach((d, i) => { d.open = !!open[i]; });
    body.querySelectorAll(".chart").forEach(chart);
    hide();
  });
  news.addEventListener("rows", e => { for (const r of JSON.parse(e.data)) ROWS.set(r[0], r); table(); });
  news.addEventListener("as-of", e => { const at = $("as-of"); if (at) at.textContent = e.data; });
  news.addEventListener("state", e => { state.textContent = `${e.data}, ${when()}`; });
  news.onerror = () => { state.textContent = "the server does not answer"; };
}
