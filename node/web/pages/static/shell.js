// The frame of every page: the menu of narrow screens, dialogs, and rows that lead somewhere.
"use strict";

(() => {
  document.documentElement.classList.add("scripts");
  const texts = document.body.dataset;
  const menu = document.querySelector(".menu");
  const rail = document.getElementById("rail");
  if (menu && rail) {
    menu.hidden = false;
    rail.classList.add("folds");
    const fold = (open) => {
      menu.setAttribute("aria-expanded", String(open));
      rail.classList.toggle("open", open);
    };
    menu.addEventListener("click", () => fold(menu.getAttribute("aria-expanded") !== "true"));
    rail.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && rail.classList.contains("open")) {
        fold(false);
        menu.focus();
      }
    });
  }

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialog);
      if (dialog) dialog.showModal();
      return;
    }
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog")?.close();
    const copier = event.target.closest("[data-copy]");
    if (copier) return void copy(copier);
    const copied = event.target.closest("code.uid");
    if (copied && !getSelection().toString()) getSelection().selectAllChildren(copied);
  });

  // Without TLS a browser gives pages no clipboard: then the older way, and where that is shut as well, it stays marked.
  async function copy(button) {
    const from = button.previousElementSibling;
    let done = true;
    try {
      await navigator.clipboard.writeText(from.textContent);
    } catch {
      getSelection().selectAllChildren(from);
      done = document.execCommand("copy");
    }
    button.classList.toggle("copied", done);
    document.getElementById("said").textContent = done ? texts.textCopied : texts.textNotCopied;
    setTimeout(() => {
      button.classList.remove("copied");
      document.getElementById("said").textContent = "";
    }, 2500);
  }

  // "/" leads to the search of the page, as in many instruments and terminals.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });
})();
