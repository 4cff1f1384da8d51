// What is wrong with a page, as a list of sentences.
(() => {
  const wrong = [];
  const visible = e => e.checkVisibility({ opacityProperty: false, visibilityProperty: true });
  const say = (what, e) => { if (wrong.length < 40) wrong.push(what + ": " + (e.outerHTML || e).slice(0, 160)); };

  // Nothing wider than the window.
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("body *")].filter(e => visible(e) && !e.closest(".wide") && e.getBoundingClientRect().right > innerWidth + 1);
    wrong.push(`wider than the window by ${document.documentElement.scrollWidth - innerWidth}: ` + wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" / "));
  }

  // Contrast of all text (WCAG 2.2, 1.4.3).
  const channels = c => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = ([r, g, b]) => [r, g, b].map(x => { x /= 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }).reduce((s, x, i) => s + x * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = e => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = 99;
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !visible(e) || e.closest("script,style,desc,title,[hidden],button:disabled,option")) continue;
    const style = getComputedStyle(e), ink = channels(e.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(ink), light(paper(e))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    least = Math.min(least, ratio);
    if (ratio < 4.5) say(`contrast ${ratio.toFixed(2)}`, e);
  }
  if (least === 99) wrong.push("no text");

  // Headings, names, pictures in words.
  const levels = [...document.querySelectorAll("h1,h2,h3,h4")].map(h => +h.tagName[1]);
  if (levels.filter(l => l === 1).length !== 1 || levels[0] !== 1) wrong.push("not one first heading");
  levels.forEach((l, i) => { if (i && l > levels[i - 1] + 1) wrong.push(`heading ${i} skips a level`); });
  for (const svg of document.querySelectorAll("svg")) if (svg.getAttribute("aria-hidden") !== "true" && !(svg.getAttribute("role") === "img" && svg.getAttribute("aria-label"))) say("a picture without words", svg);
  for (const e of document.querySelectorAll("input,select,button")) if (!e.labels?.length && !e.textContent.trim() && !e.getAttribute("aria-label")) say("a control without a name", e);
  for (const th of document.querySelectorAll("th")) if (!th.scope) say("a heading of nothing", th);
  for (const e of document.querySelectorAll(".wide,pre")) if (visible(e) && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1) && e.tabIndex < 0) say("scrolls, and no key reaches it", e);
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  for (const a of document.querySelectorAll("a[href^='#']")) if (!document.getElementById(a.hash.slice(1))) say("a link to nowhere", a);

  // Texts in pictures: none over another, none beyond the edge.
  for (const svg of document.querySelectorAll("svg")) {
    const box = svg.viewBox.baseVal, texts = [...svg.querySelectorAll("text")].filter(visible).map(t => [t, t.getBBox()]);
    if (!visible(svg)) continue;
    for (const [t, b] of texts) if (b.x < -1 || b.x + b.width > box.width + 1 || b.y < -2 || b.y + b.height > box.height + 2) say(`beyond the edge (${[b.x, b.x + b.width].map(Math.round)} of ${box.width})`, t);
    for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
      const [a, b] = [texts[i][1], texts[j][1]];
      const over = [Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x), Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)];
      if (over[0] > 1 && over[1] > 3) say("one text over another: " + texts[i][0].textContent.slice(0, 50), texts[j][0]);
    }
  }

  // Keys: a chart with dots tells them one by one.
  const chart = [...document.querySelectorAll(".chart")].find(c => visible(c) && c.querySelector(".dots path"));
  // The whole of a chart is to be seen without scrolling.
  for (const c of document.querySelectorAll(".two>.chart")) if (visible(c) && c.scrollWidth > c.clientWidth + 1) say("a chart that is not all to be seen", c);
  if (chart) {
    const tip = document.getElementById("tip"), press = key => chart.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
    chart.focus();
    if (document.activeElement !== chart) wrong.push("a chart cannot be focused");
    press("ArrowRight");
    if (tip.hidden || !/^p\d+/.test(tip.textContent)) wrong.push("no tip: " + tip.textContent);
    press("Escape");
    if (!tip.hidden) wrong.push("the tip stays");
    chart.blur();
  }
  return wrong;
})()
