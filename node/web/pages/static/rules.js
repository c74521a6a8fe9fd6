// The pages of the rules but the editor: order by keyboard and by drag, import, simulate, why.
"use strict";

(() => {
  const FOCUS = "mricore.rules.focus";

  // What was made has a page of its own.
  document.addEventListener("api:done", (event) => {
    const goto = event.target.dataset.goto;
    if (!goto) return;
    event.preventDefault();
    location.assign(goto + encodeURIComponent(event.detail.answer.name));
  });

  // Order: the names of the files say it, so the whole order is sent.
  const table = document.querySelector("table.rules");
  if (table) {
    const rows = () => [...table.tBodies[0].rows];

    // Until the page is there anew nothing else is to be pressed: it would be lost on the way.
    async function order(files, focus) {
      const main = document.getElementById("main");
      const held = document.activeElement;
      main.inert = true;
      try {
        await api.call("POST", `/api/v1/rules/draft/order?revision=${table.dataset.revision}`, { order: files });
        sessionStorage.setItem(FOCUS, focus);
        sessionStorage.setItem("mricore.after", table.dataset.moved);
        location.reload();
      } catch (fault) {
        main.inert = false;
        held.focus();
        for (const file of before) table.tBodies[0].append(rows().find((one) => one.dataset.file === file));
        api.say(fault.message, "bad");
      }
    }

    function move(row, step) {
      const files = rows().map((one) => one.dataset.file);
      const from = files.indexOf(row.dataset.file);
      const to = from + step;
      if (to < 0 || to >= files.length) return;
      files.splice(to, 0, ...files.splice(from, 1));
      order(files, `${row.dataset.name} ${step}`);
    }

    table.addEventListener("click", (event) => {
      const button = event.target.closest("[data-move]");
      if (button) move(button.closest("tr"), Number(button.dataset.move));
    });
    table.addEventListener("keydown", (event) => {
      const row = event.target.closest("tr[data-file]");
      if (!row || !event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key) || !row.draggable) return;
      event.preventDefault();
      move(row, event.key === "ArrowUp" ? -1 : 1);
    });

    let dragged = null;
    table.addEventListener("dragstart", (event) => {
      dragged = event.target.closest("tr[draggable]");
      if (dragged) {
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", dragged.dataset.file);
        dragged.classList.add("dragged");
      }
    });
    table.addEventListener("dragover", (event) => {
      const over = event.target.closest("tr[data-file]");
      if (!dragged || !over) return;
      event.preventDefault();
      if (over === dragged) return;
      const box = over.getBoundingClientRect();
      if (event.clientY < box.top + box.height / 2) over.before(dragged);
      else over.after(dragged);
    });
    table.addEventListener("drop", (event) => event.preventDefault());
    const before = rows().map((one) => one.dataset.file);
    table.addEventListener("dragend", () => {
      const files = rows().map((one) => one.dataset.file);
      const name = dragged?.dataset.name;
      dragged?.classList.remove("dragged");
      dragged = null;
      if (files.join() !== before.join()) order(files, `${name} 0`);
    });

    const focus = sessionStorage.getItem(FOCUS);
    if (focus) {
      sessionStorage.removeItem(FOCUS);
      const [name, step] = focus.split(" ");
      const row = rows().find((one) => one.dataset.name === name);
      const button = row?.querySelector(`[data-move="${step}"]:not(:disabled)`) ?? row?.querySelector("a");
      button?.focus();
    }
  }

  // Import: files of this computer become files of the draft.
  document.addEventListener("api:before", (event) => {
    const form = event.target;
    if (!("import" in form.dataset) || form.dataset.read) return;
    event.preventDefault();
    read(form);
  });

  async function read(form) {
    const problem = form.querySelector("[data-problem]");
    const files = {};
    try {
      if (!document.getElementById("import-replace").checked) {
        Object.assign(files, (await api.call("GET", "/api/v1/rules/draft")).files);
      }
      for (const file of document.getElementById("import-files").files) {
        files[file.name.replace(/\.yml$/, ".yaml")] = await file.text();
      }
      await api.call("PUT", form.dataset.api.split(" ")[1], { files });
      sessionStorage.setItem("mricore.after", form.dataset.done);
      location.reload();
    } catch (fault) {
      problem.textContent = fault.message;
      problem.hidden = false;
    }
  }

  // Simulate: it runs in the node; the page asks how far it is.
  document.addEventListener("api:done", async (event) => {
    const form = event.target;
    if (!("simulate" in form.dataset)) return;
    const bar = form.querySelector("progress");
    const told = form.querySelector("[data-progress]");
    bar.hidden = false;
    told.textContent = form.dataset.running;
    try {
      let found = event.detail.answer;
      while (found.state === "running") {
        if (found.total) { bar.max = found.total; bar.value = found.done; }
        await new Promise((resolve) => setTimeout(resolve, 300));
        found = await api.call("GET", `/api/v1/rules/simulations/${found.id}`);
      }
      if (found.state !== "done") throw new Error(`${form.dataset.failed} ${found.result?.reason ?? ""}`);
      location.hash = "simulate";
      location.reload();
    } catch (fault) {
      bar.hidden = true;
      told.textContent = "";
      const problem = form.querySelector("[data-problem]");
      problem.textContent = fault.message;
      problem.hidden = false;
    }
  });

  // Why: what is asked goes in the body, for an accession number belongs in no address.
  const why = document.querySelector("form[data-why]");
  why?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const place = document.getElementById("answer");
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(why.dataset.why, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": api.csrf() },
        body: JSON.stringify({ text: why.elements.text.value, draft: why.elements.draft.checked }),
        credentials: "same-origin",
      });
      if (!answer.ok) throw new Error();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(...page.body.childNodes);
    } catch {
      api.say(why.dataset.failed, "bad");
    } finally {
      place.removeAttribute("aria-busy");
    }
  });
})();
