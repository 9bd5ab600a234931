// Live updates, copy buttons and keys: the pages work without any of it. Nothing here focuses, scrolls or reorders by itself.

const lost = 30_000;
const live = document.querySelector("[data-live]");

// What changed since the page was sent is announced, and shown when the reader asks for it.
if (live) {
  const status = document.querySelector("[role=status][data-one]");
  const seen = new Set();
  let heard = Date.now();
  const events = new EventSource("/api/v1/events");
  const alive = () => {
    heard = Date.now();
    const time = new Date().toLocaleTimeString("en-GB", { timeZone: live.dataset.zone });
    live.textContent = live.dataset.live.replace("%", time);
    document.querySelector("[data-lost]")?.setAttribute("hidden", "");
  };
  const changed = (event) => {
    alive();
    let change;
    try { change = JSON.parse(event.data); } catch { return; }
    const id = change.ticket?.id ?? change.ticket;
    if (!id || (live.dataset.only && live.dataset.only !== id)) return;
    seen.add(id);
    if (!status) return;
    const link = document.createElement("a");
    link.className = "btn tiny";
    link.href = location.href;
    link.textContent = seen.size === 1 ? status.dataset.one : `${seen.size} ${status.dataset.many}`;
    status.replaceChildren(link);
  };
  events.onopen = alive;
  events.onmessage = changed;
  for (const name of ["ticket", "change", "heartbeat"]) events.addEventListener(name, name === "heartbeat" ? alive : changed);
  setInterval(() => {
    if (events.readyState === EventSource.OPEN) alive();
    else if (Date.now() - heard > lost) document.querySelector("[data-lost]")?.removeAttribute("hidden");
  }, 1_000);
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = button.dataset.done ?? button.textContent;
  });
}

// Keys: off while a field has the focus, and when the reader switched them off.
if (document.body.hasAttribute("data-keys")) {
  const rows = () => [...document.querySelectorAll(".row .q-case > a")];
  const press = (selector) => document.querySelector(selector)?.click();
  const move = (by) => {
    const all = rows();
    if (all.length === 0) return press(by > 0 ? "a[rel=next]" : "a[rel=prev]");
    const at = all.indexOf(document.activeElement);
    all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
  };
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => document.activeElement?.closest(".row")?.querySelector("[type=checkbox]")?.click(),
    a: () => press("button[value=acknowledge]"),
    u: () => press("a[data-up]"),
    "/": () => document.querySelector("#q")?.focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}
