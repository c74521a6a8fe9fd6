// The editor of one rule file: form and text on one model, which is the text. The form is read from it by the API and
// written back by the API, so that both say the same and comments stay. Saved in the draft as one types.
//
// CodeMirror stands in a shadow root: there it keeps its rules in adopted style sheets, which the content security
// policy allows, and not in a style element, which it does not.

import {
  acceptCompletion, autocompletion, completionKeymap, defaultKeymap, drawSelection, EditorState, EditorView,
  highlightActiveLine, highlightActiveLineGutter, HighlightStyle, history, historyKeymap, indentUnit, indentWithTab,
  keymap, lineNumbers, lintGutter, lintKeymap, search, searchKeymap, setDiagnostics, syntaxHighlighting, tags,
  Annotation, Compartment, yaml,
} from "./vendor/codemirror-6.43.15.js";
import { FormView } from "./rules-form.js";

const root = document.querySelector(".editor");
const say = JSON.parse(root.dataset.texts);
const file = root.dataset.file;
const writes = root.dataset.writes === "yes";
const plainText = root.dataset.set === "yes";
const tell = (text, names) => text.replace(/\{(\w+)\}/g, (_, name) => names[name] ?? "");

const state = { revision: Number(root.dataset.revision), stored: JSON.parse(root.dataset.text), blocked: false };

/* The text */

const ByForm = Annotation.define();
const place = document.querySelector("[data-yaml]");
const shadow = place.attachShadow({ mode: "open" });
const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "5px" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: ".8125rem", lineHeight: "1.55", maxHeight: "36rem" },
  ".cm-content": { caretColor: "var(--ink)", padding: ".5rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-soft)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent-soft) 45%, transparent)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-soft) !important" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "5px" },
  ".cm-tooltip-autocomplete ul li": { padding: "2px 8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
  ".cm-completionDetail": { color: "inherit", opacity: ".8", marginLeft: "1em" },
  ".cm-diagnostic": { fontFamily: "var(--sans)" },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)" },
});
const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)", fontWeight: "600" },
  { tag: tags.comment, color: "var(--ink-soft)", fontStyle: "italic" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.keyword, tags.atom, tags.bool, tags.number], color: "var(--hold)" },
]);

async function complete(context) {
  if (!context.explicit && !context.matchBefore(/[\w.({\[,:' ]$/)) return null;
  const found = await api.call("POST", "/api/v1/rules/complete", {
    text: context.state.doc.toString(), at: context.pos, file,
  });
  if (!found.options.length || (!context.explicit && context.pos === found.begins && !context.matchBefore(/[{\[,:] ?$/))) return null;
  const kinds = { keyword: "property", fact: "variable", operator: "keyword", value: "text", model: "class" };
  return {
    from: found.begins,
    options: found.options.map((one) => ({
      label: one.label, detail: one.detail, apply: one.apply || one.label, type: kinds[one.kind] ?? "enum",
    })),
    filter: false,
  };
}

const editable = new Compartment();
const view = new EditorView({
  parent: shadow,
  root: shadow,
  state: EditorState.create({
    doc: state.stored,
    extensions: [
      lineNumbers(), lintGutter(), history(), drawSelection(), highlightActiveLine(), highlightActiveLineGutter(),
      indentUnit.of("  "), EditorState.tabSize.of(2), yaml(), syntaxHighlighting(colours), theme, search(),
      EditorState.lineSeparator.of(state.stored.includes("\r\n") ? "\r\n" : "\n"),
      autocompletion({ override: [complete], icons: false }),
      keymap.of([{ key: "Tab", run: acceptCompletion }, indentWithTab, ...completionKeymap, ...lintKeymap, ...searchKeymap, ...historyKeymap, ...defaultKeymap]),
      editable.of([EditorState.readOnly.of(!writes), EditorView.editable.of(writes)]),
      EditorView.contentAttributes.of({ "aria-label": say.editor, spellcheck: "false", tabindex: "0" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) changed(update.transactions.some((one) => one.annotation(ByForm)));
      }),
    ],
  }),
});
const text = () => view.state.sliceDoc();

function show(written, byForm) {
  const old = text();
  if (written === old) return;
  let from = 0;
  while (from < old.length && from < written.length && old[from] === written[from]) from++;
  let end = 0;
  while (end < old.length - from && end < written.length - from && old.at(-1 - end) === written.at(-1 - end)) end++;
  const eol = view.state.lineBreak;
  const insert = written.slice(from, written.length - end);
  if (eol === "\r\n") view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: written }, annotations: byForm ? ByForm.of(true) : [] });
  else view.dispatch({ changes: { from, to: old.length - end, insert }, annotations: byForm ? ByForm.of(true) : [] });
}

/* The form */

const form = plainText ? null : new FormView(document.querySelector("[data-form]"), {
  say, models: JSON.parse(root.dataset.models), destinations: JSON.parse(root.dataset.destinations), writes,
  changed: write,
});

// The text that the form was drawn from, whose places it names, and what the form's writes made of it since.
const drawn = { from: null, made: null };

let asked = 0;
async function readForm() {
  if (!form) return;
  const mine = ++asked;
  const read = text();
  const shown = await api.call("POST", "/api/v1/rules/form", { text: read });
  if (mine === asked) draw(shown, read);
}

function draw(shown, from) {
  form.show(shown);
  drawn.from = drawn.made = from;
}

let wanted = null; // gives the form as it stands; null: nothing is to be written
let writing = false;
async function write(value) {
  asked++;
  wanted = value;
  if (writing) return;
  writing = true;
  while (wanted) await writeOnce();
  writing = false;
}

// What somebody does to the form meanwhile stays: it is drawn anew only when nothing was, and is written as a whole.
async function writeOnce() {
  const value = wanted;
  wanted = null;
  const before = text();
  const touched = form.touched;
  const untouched = () => form.touched === touched && !form.pressed;
  const problem = document.querySelector("[data-form-problem]");
  try {
    const shown = await api.call("POST", "/api/v1/rules/form/write", {
      text: before === drawn.made ? drawn.from : before, form: value(),
    });
    problem.hidden = true;
    if (text() !== before) wanted ??= value;
    if (wanted) return;
    show(shown.text, true);
    drawn.made = text();
    if (untouched()) draw(shown, drawn.made);
  } catch (fault) {
    problem.textContent = fault.message;
    problem.hidden = false;
    if (!wanted && untouched()) await readForm().catch((other) => api.say(other.message, "bad"));
  }
}

/* What follows every change: saved, checked, counted */

const later = {};
function soon(name, wait, what) {
  clearTimeout(later[name]);
  later[name] = setTimeout(() => what().catch((fault) => api.say(fault.message, "bad")), wait);
}

function changed(byForm) {
  saved(say.unsaved);
  if (!byForm) soon("form", 300, readForm);
  soon("check", 350, check);
  soon("matches", 450, matches);
  if (writes) soon("save", 700, save);
}

const saved = (words) => { document.querySelector("[data-saved]").textContent = words; };

let saving = Promise.resolve();
function save() {
  saving = saving.then(store);
  return saving;
}

async function store(force = false) {
  const mine = text();
  if (state.blocked || (mine === state.stored && !force)) { if (!state.blocked) saved(say.saved); return; }
  saved(say.saving);
  try {
    const draft = await api.call("PUT", `/api/v1/rules/draft/files/${encodeURIComponent(file)}?revision=${state.revision}`, { text: mine });
    state.revision = draft.revision;
    state.stored = mine;
    saved(text() === mine ? say.saved : say.unsaved);
    overtaken(draft.overtaken);
  } catch (fault) {
    saved(tell(say.failed, { why: fault.message }));
    if (fault.status === 412) conflict(fault.problem);
  }
}

function overtaken(by) {
  const banner = document.querySelector("[data-overtaken]");
  banner.hidden = !by;
  if (by) banner.querySelector("p").textContent = tell(say.overtaken, by);
}

function conflict(problem) {
  const both = problem.three_way.find((one) => one.file === file);
  if (!both || both.change === "mine" || both.change === "same") { // another file was changed, or to the very same
    state.revision = problem.revision;
    soon("save", 0, () => store(true));
    return;
  }
  state.blocked = true;
  const panel = document.querySelector("[data-conflict]");
  for (const side of panel.querySelectorAll("[data-side]")) side.textContent = both[side.dataset.side] ?? "";
  panel.hidden = false;
  panel.scrollIntoView({ block: "nearest" });
  panel.querySelector("button").focus();
  for (const button of panel.querySelectorAll("[data-keep]")) {
    button.onclick = () => {
      panel.hidden = true;
      state.blocked = false;
      state.revision = problem.revision;
      state.stored = both.theirs ?? "";
      if (button.dataset.keep === "theirs") show(state.stored, false);
      view.focus();
      soon("save", 0, () => store());
    };
  }
}

async function check() {
  const found = await api.call("POST", "/api/v1/rules/check", { files: { [file]: text() }, draft: true });
  const mine = found.mistakes.filter((one) => one.file === file);
  const lines = view.state.doc.lines;
  view.dispatch(setDiagnostics(view.state, mine.map((one) => {
    const line = view.state.doc.line(Math.min(Math.max(1, one.line), lines));
    const from = line.from + (line.text.length - line.text.trimStart().length);
    return { from, to: Math.max(from, line.to), severity: one.severity, message: one.cure ? `${one.what}. ${one.cure}` : one.what };
  })));
  const list = document.querySelector("[data-problems]");
  list.replaceChildren(...mine.map((one) => problemLine(one)));
  const others = found.mistakes.length - mine.length;
  if (!mine.length) list.append(plain("li", say.no_problems, "soft"));
  if (others) list.append(plain("li", tell(say.elsewhere, { number: others }), "soft"));
}

function problemLine(one) {
  const item = document.createElement("li");
  const jump = plain("button", tell(say.line, { line: one.line }), "button button--quiet button--small");
  jump.type = "button";
  jump.addEventListener("click", () => goTo(one.line));
  item.append(plain("b", say[one.severity], one.severity === "error" ? "look--bad" : "look--hold"), jump,
    plain("span", one.what), plain("span", one.cure ? ` ${one.cure}` : "", "soft"));
  return item;
}

function goTo(number) {
  const line = view.state.doc.line(Math.min(Math.max(1, number), view.state.doc.lines));
  view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
  view.focus();
}

function plain(name, words, look = "") {
  const made = document.createElement(name);
  made.textContent = words;
  made.className = look;
  return made;
}

async function matches() {
  const panel = document.querySelector("[data-matches]");
  if (!panel) return;
  let found;
  try {
    found = await api.call("POST", "/api/v1/rules/matches", { files: { [file]: text() }, file, draft: true });
  } catch (fault) {
    if (fault.status !== 422 && fault.status !== 404) throw fault;
    panel.replaceChildren(plain("p", say.broken, "soft"));
    return;
  }
  const many = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");
  const sentence = plain("p", tell(say.matched, { matched: many(found.matched), series: many(found.series) }), "sentence");
  const more = [];
  if (found.unknown) more.push(tell(say.unknown, { unknown: many(found.unknown) }));
  if (found.taken) more.push(tell(say.taken, { taken: many(found.taken) }));
  more.push(tell(say.took, { ms: Math.round(found.milliseconds) }));
  panel.replaceChildren(sentence, plain("p", found.series ? more.join(" · ") : say.none, "soft small"));
  if (!found.listed.length) return;
  const list = document.createElement("ul");
  list.className = "found";
  for (const one of found.listed) {
    const item = document.createElement("li");
    const link = plain("a", one.description || say.undescribed);
    link.href = `/admin/rules/-/why?series=${encodeURIComponent(one.series_instance_uid)}&draft=true`;
    const at = document.createElement("time");
    at.dateTime = one.at;
    at.dataset.form = "both";
    item.append(link, plain("span", one.standing === "unknown" ? say.unknown_badge : "", "tag"), at);
    list.append(item);
  }
  panel.append(list);
  times.all(list);
}

document.querySelector("form[data-remove-rule]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await saving;
    await api.call("DELETE", `/api/v1/rules/draft/files/${encodeURIComponent(file)}?revision=${state.revision}`);
    location.assign("/admin/rules");
  } catch (fault) {
    const problem = event.target.querySelector("[data-problem]");
    problem.textContent = fault.message;
    problem.hidden = false;
  }
});

// A link that leaves takes along what is not saved yet.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[href]");
  if (!link || !writes || state.blocked || text() === state.stored || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  clearTimeout(later.save);
  await writing;
  await save();
  location.assign(link.href);
});
// Back from another tab, where somebody signed in again: what was not saved is saved now.
addEventListener("focus", () => { if (writes && !state.blocked && text() !== state.stored) soon("save", 0, save); });
addEventListener("beforeunload", (event) => { if (writes && text() !== state.stored) event.preventDefault(); });

readForm().catch((fault) => api.say(fault.message, "bad"));
check().catch((fault) => api.say(fault.message, "bad"));
matches().catch((fault) => api.say(fault.message, "bad"));
const line = Number(new URLSearchParams(location.search).get("line"));
if (line) goTo(line);
root.dataset.ready = "yes";
