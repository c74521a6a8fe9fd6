// <time datetime data-form="both|time|ago|day">: the moment in the browser's zone, and how long ago it was.
"use strict";

(() => {
  const language = document.documentElement.lang || "en";
  const full = new Intl.DateTimeFormat("sv-SE", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const clock = new Intl.DateTimeFormat("sv-SE", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat("sv-SE", { year: "numeric", month: "2-digit", day: "2-digit" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "narrow" });
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];

  function ago(at) {
    const seconds = (at - Date.now()) / 1000;
    for (const [unit, length] of units) {
      if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
    }
    return relative.format(Math.round(seconds / 5) * 5, "second");
  }

  function write(element) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    const form = element.dataset.form;
    let text = full.format(at);
    if (form === "both") text = `${text} · ${ago(at)}`;
    else if (form === "ago") text = ago(at);
    else if (form === "clock") text = clock.format(at);
    else if (form === "day") text = day.format(at);
    if (element.textContent !== text) element.textContent = text;
  }

  const all = (within) => within.querySelectorAll("time[datetime]").forEach(write);
  // Which zone that is stands below each page, on paper as well.
  function zone() {
    const name = new Intl.DateTimeFormat("en", { timeZoneName: "longOffset" });
    const offset = name.formatToParts(new Date()).find((part) => part.type === "timeZoneName").value.replace("GMT", "UTC");
    const named = name.resolvedOptions().timeZone;
    const text = named && named !== offset ? `${named} (${offset})` : offset;
    for (const place of document.querySelectorAll("[data-zone]")) place.textContent = place.dataset.zone.replace("{zone}", text);
  }

  window.times = { all };
  zone();
  all(document);
  setInterval(() => document.hidden || all(document), 15000);
  document.addEventListener("visibilitychange", () => document.hidden || all(document));
})();
