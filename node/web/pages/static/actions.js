// <form data-api="POST /api/v1/jobs/12/retry">: sent as JSON, answered in the page.
//
//   data-then="reload"    what follows success: reload (also without the attribute), none, an address, or "answer": the
//                         `address` of what was answered
//   data-done="…"         what is said after it
//   data-some="…"         on a fieldset: at least one of its boxes must be checked; otherwise this is said
// A field becomes a property by its name; "a.b" lies inside a. data-type on it: number, boolean, json, lines, list
// (every checked box or chosen option of the name). A submit button may carry a data-api of its own.
// Events that pages may listen for, on the form: api:before (cancelable; detail.body may be changed) and
// api:done (cancelable: then nothing more happens; detail.answer).
"use strict";

(() => {
  const AFTER = "mricore.after";
  const FOCUS = "mricore.focus";
  const texts = document.body.dataset;

  function say(text, kind = "good") {
    const place = document.getElementById(kind === "bad" ? "problems" : "messages");
    const line = document.createElement("p");
    line.className = `note note--${kind}`;
    line.textContent = text;
    place.replaceChildren(line);
    if (kind === "bad") line.scrollIntoView({ block: "nearest" });
  }

  function csrf() {
    return document.querySelector('meta[name="csrf"]')?.content ?? "";
  }

  function put(body, name, value) {
    const steps = name.split(".");
    const last = steps.pop();
    const into = steps.reduce((at, step) => (at[step] ??= {}), body);
    into[last] = value;
  }

  function got(body, name) {
    return name.split(".").reduce((at, step) => at?.[step], body);
  }

  function read(field) {
    const text = field.value;
    switch (field.dataset.type) {
      case "number": return text.trim() === "" ? null : Number(text);
      case "json": return text.trim() === "" ? null : JSON.parse(text);
      case "lines": return text.split("\n").map((line) => line.trim()).filter(Boolean);
      case "optional": return text.trim() === "" ? null : text;
      default: return text;
    }
  }

  function bodyOf(form) {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled || field.type === "submit" || field.type === "button") continue;
      if (field.dataset.type === "list") {
        const sofar = got(body, field.name) ?? [];
        if (field.tagName === "SELECT") sofar.push(...[...field.selectedOptions].map((one) => one.value));
        else if (field.checked) sofar.push(field.dataset.number === undefined ? field.value : Number(field.value));
        put(body, field.name, sofar);
      } else if (field.type === "checkbox") put(body, field.name, field.checked);
      else if (field.type === "radio") { if (field.checked) put(body, field.name, read(field)); }
      else put(body, field.name, read(field));
    }
    return body;
  }

  // What a problem document (RFC 9457), or a refusal of single fields, says.
  function sentence(problem) {
    if (Array.isArray(problem?.detail)) {
      return problem.detail.map((one) => `${(one.loc ?? []).slice(1).join(".")}: ${one.msg}`).join("; ");
    }
    return problem?.detail || problem?.title || texts.textFailed;
  }

  // Somebody signed in anew in another tab: the token of the new session, if it is still the same person.
  async function renewed() {
    const answer = await fetch("/api/v1/session", { headers: { Accept: "application/json" }, credentials: "same-origin" });
    if (!answer.ok) return false;
    const me = await answer.json();
    const token = document.querySelector('meta[name="csrf"]');
    if (!token || !me.csrf || me.csrf === token.content) return false;
    const mine = document.querySelector('meta[name="actor"]').content;
    if (me.name !== mine) throw new Error(texts.textOther.replace("{name}", me.name));
    token.content = me.csrf;
    return true;
  }

  async function call(method, address, body, again = true) {
    const headers = { Accept: "application/json", "X-CSRF-Token": csrf() };
    const sent = method === "GET" || body === undefined ? undefined : JSON.stringify(body);
    if (sent !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(address, { method, headers, body: sent, credentials: "same-origin" });
    } catch {
      throw new Error(texts.textUnreachable);
    }
    const text = await answer.text();
    const json = (answer.headers.get("content-type") ?? "").includes("json") && text ? JSON.parse(text) : null;
    if (answer.status === 401 && csrf()) throw Object.assign(new Error(texts.textSignedOut), { status: 401, problem: json });
    if (answer.status === 403 && again && method !== "GET" && await renewed()) return call(method, address, body, false);
    if (!answer.ok) throw Object.assign(new Error(sentence(json)), { status: answer.status, problem: json });
    return json;
  }

  function problemOf(form, text, signedOut = false) {
    let place = form.querySelector("[data-problem]");
    if (!place) {
      if (!text) return;
      say(text, "bad");
      place = document.querySelector("#problems > .note");
    }
    place.textContent = text;
    place.hidden = !text;
    if (!signedOut) return;
    const link = Object.assign(document.createElement("a"), { href: "/admin/sign-in?next=/admin/account", target: "_blank" });
    link.textContent = texts.textSignIn;
    place.append(" ", link);
  }

  async function send(form, submitter) {
    const [method, address] = (submitter?.dataset.api ?? form.dataset.api).split(" ");
    let body;
    try {
      body = bodyOf(form);
    } catch (wrong) {
      return problemOf(form, String(wrong.message));
    }
    const none = [...form.querySelectorAll("fieldset[data-some]")].find((one) => !one.querySelector(":checked"));
    if (none) return problemOf(form, none.dataset.some);
    if (submitter?.name) put(body, submitter.name, submitter.value);
    const before = new CustomEvent("api:before", { bubbles: true, cancelable: true, detail: { body, submitter } });
    if (!form.dispatchEvent(before)) return;
    const buttons = [...form.elements].filter((one) => one.type === "submit" && !one.disabled);
    const held = document.activeElement; // a button that is disabled loses the focus
    const keyed = held?.matches(":focus-visible");
    buttons.forEach((one) => { one.disabled = true; });
    form.setAttribute("aria-busy", "true");
    problemOf(form, "");
    try {
      const answer = await call(method, address, body);
      form.closest("dialog")?.close();
      const done = new CustomEvent("api:done", { bubbles: true, cancelable: true, detail: { answer, submitter } });
      if (form.dispatchEvent(done)) {
        const then = submitter?.dataset.then ?? form.dataset.then ?? "reload";
        if (keyed && then === "reload") sessionStorage.setItem(FOCUS, opener(form));
        follow(then === "answer" ? answer.address : then, submitter?.dataset.done ?? form.dataset.done);
      }
    } catch (fault) {
      problemOf(form, fault.message, fault.status === 401 && Boolean(csrf()));
    } finally {
      form.removeAttribute("aria-busy");
      buttons.forEach((one) => { one.disabled = false; });
      if (document.activeElement === document.body) held?.focus();
    }
  }

  // What somebody at the keyboard goes on from once the page is made anew.
  function opener(form) {
    const dialog = form.closest("dialog");
    return dialog ? `[data-dialog="${dialog.id}"]` : `form[data-api="${CSS.escape(form.dataset.api)}"] [type=submit]`;
  }

  function follow(then, done) {
    if (then === "none") return done && say(done);
    if (done) sessionStorage.setItem(AFTER, done);
    if (then === "reload") location.reload();
    else location.assign(then);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.api && !event.submitter?.dataset.api) return;
    event.preventDefault();
    send(form, event.submitter);
  });

  const after = sessionStorage.getItem(AFTER);
  if (after) {
    sessionStorage.removeItem(AFTER);
    say(after);
  }
  const focus = sessionStorage.getItem(FOCUS);
  if (focus) {
    sessionStorage.removeItem(FOCUS);
    (document.querySelector(focus) ?? document.querySelector("[autofocus]") ?? document.getElementById("main")).focus({ preventScroll: true });
  }
  window.api = { call, say, csrf };
})();
