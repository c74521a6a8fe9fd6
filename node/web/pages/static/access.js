// What follows an answer of the routes of access: data-answer="then" goes where the answer says, "secret" shows it once.
"use strict";

(() => {
  if (window.accessListens) return; // the frame and the page may both ask for it
  window.accessListens = true;

  document.addEventListener("api:done", (event) => {
    const form = event.target;
    const answer = event.detail.answer;
    if (form.dataset.answer === "then") {
      event.preventDefault();
      location.assign(answer.then);
    } else if (form.dataset.answer === "secret") {
      event.preventDefault();
      document.getElementById("secret-text").textContent = answer.secret;
      document.getElementById("secret").showModal();
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-reload]")) event.target.closest("dialog").close();
  });
  document.getElementById("secret")?.addEventListener("close", () => location.reload()); // by Escape, too: it is in the list
})();
