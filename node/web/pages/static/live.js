// What stays fresh without a reload.
//
//   <div data-live="/admin/board/events">                server-sent events: each brings elements that take the place of
//                                                        those with the same id (node/web/pages/live.py)
//   <div data-refresh="/admin/inbox/part" data-every="15">   the same, asked for every so many seconds
//   <p data-live-status></p>                             says whether what is shown is fresh
// What a person has chosen stays: checked boxes, open details, the focus, the place in a text, the scroll.
"use strict";

(() => {
  const texts = document.body.dataset;
  const OLD_MS = 30000;
  const RETRY_MS = 5000;
  let heard = Date.now();
  const last = new Map();  // id → what came last: what is as before is not touched, and what is marked in it stays marked

  function keyOf(box) {
    return box.id || `${box.name}=${box.value}`;
  }

  function swap(html) {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    for (const fresh of [...parsed.body.children]) {
      const there = fresh.id && document.getElementById(fresh.id);
      if (!there || last.get(fresh.id) === fresh.outerHTML) continue;
      const boxes = there.querySelectorAll("input[type=checkbox]");
      const known = new Map([...boxes].map((box) => [keyOf(box), box.checked]));
      const open = new Set([...there.querySelectorAll("details[open][id]")].map((one) => one.id));
      const shown = [...there.querySelectorAll("dialog[open][id]")];
      const focus = there.contains(document.activeElement) ? document.activeElement : null;
      if (shown.length || (focus && focus.matches("textarea, select, input:not([type=checkbox])"))) continue;
      last.set(fresh.id, fresh.outerHTML);
      const mark = focus && (focus.id ? `#${CSS.escape(focus.id)}` : focus.name && `[name="${CSS.escape(focus.name)}"][value="${CSS.escape(focus.value)}"]`);
      const like = focus && !mark && ((one) => one.textContent === focus.textContent && one.getAttribute("href") === focus.getAttribute("href"));
      const scrolls = [there, ...there.querySelectorAll("[data-scrolls]")].map((one) => one.scrollTop);
      there.replaceWith(document.adoptNode(fresh));
      for (const box of fresh.querySelectorAll("input[type=checkbox]")) {
        if (known.has(keyOf(box))) box.checked = known.get(keyOf(box));
      }
      for (const one of fresh.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
      [fresh, ...fresh.querySelectorAll("[data-scrolls]")].forEach((one, at) => { one.scrollTop = scrolls[at] ?? 0; });
      const again = mark ? fresh.querySelector(mark) : like && [...fresh.querySelectorAll(focus.tagName)].find(like);
      (again ?? (focus && document.getElementById("main")))?.focus({ preventScroll: true });
      window.times?.all(fresh);
      fresh.dispatchEvent(new CustomEvent("live:swap", { bubbles: true }));
    }
  }

  function fresh() {
    heard = Date.now();
    tell(true);
  }

  function tell(well, ended = false) {
    const time = new Date(heard).toLocaleTimeString("sv-SE");
    for (const place of document.querySelectorAll("[data-live-status]")) {
      const text = well ? texts.textLive : (ended ? texts.textEnded : texts.textStale).replace("{time}", time);
      if (place.textContent !== text) place.textContent = text;
      place.classList.toggle("stale", !well);
    }
  }

  function listen(element) {
    let source = null;
    let again = 0;
    const close = () => { source?.close(); source = null; clearTimeout(again); };
    const open = () => {
      close();
      source = new EventSource(element.dataset.live);
      source.addEventListener("swap", (event) => { swap(event.data); fresh(); });
      source.addEventListener("alive", fresh);
      source.addEventListener("fault", () => tell(false));
      source.addEventListener("error", () => {
        tell(false);
        if (source?.readyState !== EventSource.CLOSED) return;
        again = setTimeout(open, RETRY_MS);
        // It does not say why it was refused.
        fetch("/api/v1/session").then((answer) => answer.status === 401 && tell(false, true), () => {});
      });
    };
    // A browser opens few connections to one host: a page that nobody sees keeps none.
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    if (!document.hidden) open();
  }

  function ask(element) {
    const every = 1000 * Number(element.dataset.every || 15);
    const once = async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(element.dataset.refresh, { credentials: "same-origin", headers: { "X-Part": "1" } });
        if (!answer.ok) throw Object.assign(new Error(), { status: answer.status });
        swap(await answer.text());
        fresh();
      } catch (fault) {
        tell(false, fault.status === 401);
      }
    };
    setInterval(once, every);
    document.addEventListener("visibilitychange", once);
    element.addEventListener("live:ask", once);
  }

  document.querySelectorAll("[data-live]").forEach(listen);
  document.querySelectorAll("[data-refresh]").forEach(ask);
  if (document.querySelector("[data-live]")) setInterval(() => { if (Date.now() - heard > OLD_MS && !document.hidden) tell(false); }, 5000);
  window.live = { swap };
})();
