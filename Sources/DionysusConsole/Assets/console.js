"use strict";
// Makes the pages live and usable by keys. Without it they work as well.
(() => {
  const base = document.body.dataset.base;
  const main = document.getElementById("main");
  const byID = (id) => document.getElementById(id);

  // The theme: automatic, light, dark.
  const themes = ["automatic", "light", "dark"];
  const themeButton = byID("theme");
  const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows keep nothing */ } };
  function showTheme(theme) {
    if (theme === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    themeButton.textContent = theme[0].toUpperCase() + theme.slice(1);
    themeButton.setAttribute("aria-label", "Theme: " + theme);
  }
  function nextTheme() {
    const theme = themes[(themes.indexOf(stored("theme") || "automatic") + 1) % 3];
    store("theme", theme);
    showTheme(theme);
  }
  themeButton.hidden = false;
  themeButton.addEventListener("click", nextTheme);
  showTheme(themes.includes(stored("theme")) ? stored("theme") : "automatic");

  // Live: the page's part is replaced in place, and only if nobody works with it.
  const liveButton = byID("live");
  const address = main.dataset.live;
  let isPaused = stored("paused") === "1";
  let since = new Date();
  let source = null;
  let timer = null;
  let held = null;

  const isBusy = () => {
    const focused = document.activeElement;
    if (focused && main.contains(focused) && focused !== main && !focused.closest("tr.current")) return true;
    if (main.querySelector("input[type=checkbox]:checked, details[open], tr.current")) return true;
    const selection = getSelection();
    return selection && !selection.isCollapsed && main.contains(selection.anchorNode);
  };
  function showLive(text) {
    const state = isPaused ? "○ paused at " + since.toISOString().slice(11, 19) : "● " + text;
    liveButton.textContent = state;
    liveButton.setAttribute("aria-pressed", String(!isPaused));
  }
  function replace(html) {
    if (isPaused) return;
    if (isBusy()) { held = html; showLive("held"); return; }
    held = null;
    const place = scrollY;
    main.innerHTML = html;
    scrollTo(scrollX, place);
    prepare();
    showLive("live");
  }
  function poll() {
    clearInterval(timer);
    timer = setInterval(async () => {
      if (isPaused || document.hidden) return;
      try {
        const answer = await fetch(main.dataset.page, { headers: { Accept: "text/html" } });
        if (!answer.ok) throw new Error(answer.status);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        replace(page.getElementById("main").innerHTML);
      } catch { showLive("no answer"); }
    }, 5000);
    showLive("every 5 s");
  }
  function connect() {
    if (source) source.close();
    clearInterval(timer);
    source = null;
    if (isPaused) { showLive(""); return; }
    if (!window.EventSource) { poll(); return; }
    source = new EventSource(address);
    source.addEventListener("page", (event) => replace(event.data));
    source.addEventListener("same", () => { if (held && !isBusy()) replace(held); else if (!held) showLive("live"); });
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) { source = null; poll(); } else showLive("no answer");
    };
    showLive("live");
  }
  function toggleLive() {
    if (!address) return;
    isPaused = !isPaused;
    since = new Date();
    store("paused", isPaused ? "1" : "0");
    connect();
  }
  if (address) {
    liveButton.hidden = false;
    liveButton.addEventListener("click", toggleLive);
    connect();
    addEventListener("pagehide", () => { if (source) source.close(); });
  }

  // Charts tell all values at the pointer's time.
  function prepareChart(svg) {
    const data = JSON.parse(svg.dataset.chart);
    const cursor = svg.querySelector(".cursor");
    const output = svg.parentElement.querySelector("output");
    svg.addEventListener("pointermove", (event) => {
      const frame = svg.getBoundingClientRect();
      const x = (event.clientX - frame.left) / frame.width * 640;
      const count = Math.max(...data.lines.map((line) => line.values.length));
      const place = Math.round((x - 58) / 572 * (count - 1));
      if (place < 0 || place >= count) return;
      const at = 58 + 572 * place / (count - 1);
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
      cursor.setAttribute("visibility", "visible");
      const time = new Date(data.start + data.step * place).toISOString().slice(11, 19);
      output.textContent = time + " UTC  " + data.lines.map((line) => line.name + " " + (line.values[place] ?? "–")).join("  ·  ");
    });
    svg.addEventListener("pointerleave", () => {
      cursor.setAttribute("visibility", "hidden");
      output.textContent = "";
    });
  }

  // Selections say how many they are.
  function prepare() {
    main.querySelectorAll("svg[data-chart]").forEach(prepareChart);
    main.querySelectorAll("form.bulk").forEach((form) => {
      const head = form.querySelector("th.pick");
      const boxes = [...form.querySelectorAll("input[name=id]")];
      if (head && !head.querySelector("input")) {
        const all = document.createElement("input");
        all.type = "checkbox";
        all.setAttribute("aria-label", "Select all on this page");
        all.addEventListener("change", () => { boxes.forEach((box) => { box.checked = all.checked; }); count(); });
        head.append(all);
      }
      const count = () => {
        const picked = boxes.filter((box) => box.checked).length;
        form.querySelectorAll(".picked").forEach((text) => { text.textContent = picked ? String(picked) : "selected"; });
        form.querySelectorAll("button[name=action]").forEach((button) => { button.disabled = picked === 0; });
      };
      form.addEventListener("change", count);
      count();
    });
  }
  prepare();

  // Keys.
  let isGoing = false;
  const rows = () => [...main.querySelectorAll("tbody tr, details.message")];
  function move(step) {
    const list = rows();
    if (!list.length) return;
    const current = list.findIndex((row) => row.classList.contains("current"));
    const next = Math.min(list.length - 1, Math.max(0, current + step));
    list.forEach((row) => row.classList.remove("current"));
    list[next].classList.add("current");
    list[next].scrollIntoView({ block: "nearest" });
    const target = list[next].querySelector("a, summary");
    if (target) target.focus({ preventScroll: true });
  }
  function press(key) {
    const current = main.querySelector("tr.current");
    const button = main.querySelector(`form.bulk button[data-key="${CSS.escape(key)}"]:not(:disabled)`);
    if (key === "x" && current) {
      const box = current.querySelector("input[name=id]");
      if (box) { box.checked = !box.checked; box.dispatchEvent(new Event("change", { bubbles: true })); }
    } else if (button) button.click();
  }
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") {
      if (field) field.blur();
      main.querySelectorAll("tr.current").forEach((row) => row.classList.remove("current"));
      main.focus();
      return;
    }
    if (field) return;
    if (isGoing) {
      isGoing = false;
      const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    switch (event.key) {
      case "/": event.preventDefault(); document.querySelector(".search input").focus(); break;
      case "g": isGoing = true; setTimeout(() => { isGoing = false; }, 1500); break;
      case "j": move(1); break;
      case "k": move(-1); break;
      case "t": nextTheme(); break;
      case "l": toggleLive(); break;
      case "?": location.href = base + "/keys"; break;
      case "x": case "r": case "d": case "s": press(event.key); break;
    }
  });
})();
