// <form data-stream="POST /api/v1/…" data-into="<id of a list>">: the answer is JSON, an object a line; each becomes an
// entry of the list as it comes. Badges are cloned from <template data-verdict="…">.
//   data-swap="a b"   elements of these ids are taken from the page again at the end
// Checked boxes that are called "names" are sent as {"names": […]}.
"use strict";

(() => {
  function badge(verdict) {
    const made = [...document.querySelectorAll("template[data-verdict]")].find((one) => one.dataset.verdict === verdict);
    return made ? made.content.cloneNode(true) : document.createTextNode(verdict);
  }

  function span(tag, text, name = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function entry(line) {
    const made = document.createElement("li");
    const said = line.says ?? (line.begins ? `${line.begins} …` : "");
    if (said) {
      made.className = "says";
      made.textContent = said;
      return made;
    }
    const passed = "passed" in line;
    const verdict = line.verdict ?? (line.fault || (passed && !line.passed) ? "failed" : "ok");
    const about = document.createElement("div");
    about.append(span("b", line.part ?? line.title ?? ""), " ", span("span", line.sentence ?? line.seen ?? line.fault ?? ""));
    if (line.cure && verdict !== "ok") about.append(" ", span("span", line.cure, "cure"));
    made.append(badge(verdict), about);
    if (line.seconds !== undefined) made.append(span("span", `${Number(line.seconds).toFixed(1)} s`, "soft lasted"));
    return made;
  }

  async function swap(ids) {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ids) {
      const there = document.getElementById(id);
      const other = fresh.getElementById(id);
      if (there && other) {
        there.replaceWith(document.adoptNode(other));
        window.times?.all(document.getElementById(id));
      }
    }
  }

  async function run(form) {
    const [method, address] = form.dataset.stream.split(" ");
    const list = document.getElementById(form.dataset.into);
    const problem = form.querySelector("[data-problem]");
    const names = [...form.elements].filter((one) => one.name === "names" && one.checked).map((one) => one.value);
    const buttons = [...form.elements].filter((one) => one.type === "submit");
    const held = document.activeElement; // a button that is disabled loses the focus
    buttons.forEach((one) => { one.disabled = true; });
    form.setAttribute("aria-busy", "true");
    problem.hidden = true;
    list.hidden = false;
    list.replaceChildren();
    try {
      const headers = { "Content-Type": "application/json", "X-CSRF-Token": window.api.csrf() };
      const body = JSON.stringify(names.length ? { names } : {});
      const answer = await fetch(address, { method, headers, body, credentials: "same-origin" });
      if (!answer.ok) throw new Error((await answer.json()).detail);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines.filter(Boolean)) {
          const told = JSON.parse(line);
          if (!("sum" in told)) list.append(entry(told));
        }
      }
      if (form.dataset.swap) {
        await swap(form.dataset.swap.split(" "));
        list.hidden = form.dataset.keep === undefined;
      }
    } catch (fault) {
      problem.textContent = fault.message || document.body.dataset.textUnreachable;
      problem.hidden = false;
    } finally {
      form.removeAttribute("aria-busy");
      buttons.forEach((one) => { one.disabled = false; });
      if (document.activeElement === document.body) held?.focus();
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.dataset.stream) return;
    event.preventDefault();
    run(event.target);
  });
})();
