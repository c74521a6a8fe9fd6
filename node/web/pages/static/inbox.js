// The inbox: what is chosen, one by one, all of the page, or all of the cause; and what is done with it.
"use strict";

(() => {
  const texts = document.getElementById("inbox-texts").dataset;
  const ones = () => [...document.querySelectorAll(".entries .one")];
  const chosen = () => ones().filter((box) => box.checked);
  const cause = () => document.getElementById("choose-cause");

  function show() {
    const whole = cause();
    const page = document.getElementById("choose-page");
    const some = chosen().length;
    const all = Boolean(whole?.checked);
    if (page) {
      page.checked = some > 0 && some === ones().length;
      page.indeterminate = some > 0 && !page.checked;
    }
    ones().forEach((box) => { box.disabled = all; });
    const text = all ? whole.parentElement.textContent.trim() : texts.some.replace("{number}", some);
    document.querySelectorAll("[data-chosen]").forEach((place) => { place.textContent = text; });
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "choose-page") ones().forEach((box) => { box.checked = event.target.checked; });
    if (event.target.closest(".inbox")) show();
  });
  document.addEventListener("live:swap", show);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    if (!cause()?.checked && chosen().length === 0) return window.api.say(texts.none, "bad");
    show();
    document.getElementById("problems").replaceChildren();
    document.getElementById(`act-${button.dataset.act}`).showModal();
  });

  document.addEventListener("api:before", (event) => {
    if (!event.target.closest("dialog[id^=act-]")) return;
    const body = event.detail.body;
    if (cause()?.checked) {
      body.cause = cause().value;
      return;
    }
    const of = (name) => chosen().filter((box) => box.name === name).map((box) => box.value);
    body.jobs = of("jobs").map(Number);
    body.series = of("series");
  });

  document.addEventListener("api:done", (event) => {
    if (!event.target.closest("dialog[id^=act-]")) return;
    const { done, refused, left } = event.detail.answer;
    event.target.reset();
    chosen().forEach((box) => { box.checked = false; });
    if (cause()) cause().checked = left;
    show();
    const said = [texts.done.replace("{number}", done)];
    if (refused) said.push(texts.refused.replace("{number}", refused));
    if (left) said.push(texts.left);
    window.api.say(said.join(" "), refused ? "hold" : "good");
    document.getElementById("inbox-refresh").dispatchEvent(new Event("live:ask"));
  });

  show();

  // In a narrow window the causes stand above: who chose one is led to what is stuck for it.
  const narrow = matchMedia("(max-width: 60rem)").matches;
  if (narrow && !scrollY && new URLSearchParams(location.search).has("cause")) {
    document.querySelector(".detail")?.scrollIntoView();
  }
})();
