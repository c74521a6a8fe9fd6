// The picture of a job: a slider through its slices, by mouse, wheel and keyboard.
"use strict";

// A job that is not over is asked after, and the page is made anew when it got on; never under somebody's hands.
(() => {
  const watched = document.querySelector("[data-watch]");
  if (!watched) return;
  const busy = () => document.hidden || document.querySelector("dialog[open]");
  setInterval(async () => {
    if (busy()) return;
    const answer = await fetch(watched.dataset.watch, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return;
    const job = await answer.json();
    if (busy()) return; // somebody began to write meanwhile
    if (`${job.state} ${job.stage ?? ""}`.trim() !== watched.dataset.stands) location.reload();
  }, 4000);
})();

(() => {
  const picture = document.querySelector("[data-picture]");
  const image = picture?.querySelector("[data-slice]");
  if (!image) return;
  const slider = picture.querySelector("#slice");
  const overlay = picture.querySelector("#overlay");
  const number = picture.querySelector("[data-number]");
  const most = Number(slider.max);

  function address(slice) {
    const plain = overlay && !overlay.checked ? "&overlay=false" : "";
    return image.dataset.address.replace("{number}", slice) + plain;
  }

  function show() {
    const slice = Number(slider.value);
    image.src = address(slice);
    image.alt = image.dataset.alt.replace("{number}", slice);
    number.textContent = slice;
    for (const next of [slice + 1, slice - 1]) if (next >= 1 && next <= most) new Image().src = address(next);
  }

  function go(slice) {
    slider.value = Math.min(most, Math.max(1, slice));
    show();
  }

  slider.addEventListener("input", show);
  overlay?.addEventListener("change", show);
  image.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    go(Number(slider.value) + Math.sign(event.deltaY));
  }, { passive: false });
  picture.addEventListener("click", (event) => {
    const button = event.target.closest("[data-go]");
    if (!button) return;
    go(Number(button.dataset.go));
    slider.focus({ preventScroll: true });
    image.scrollIntoView({ block: "nearest" });
  });
})();
