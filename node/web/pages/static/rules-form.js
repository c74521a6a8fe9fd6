// The form of a rule: shows what the API read from the text, and says what it should be.

const MANY = new Set(["in", "between", "code"]);
const FLAGS = { "": null, true: true, false: false };

export class FormView {
  // `changed` is called with a function that gives the form as it stands.
  constructor(element, { say, models, destinations, writes, changed }) {
    Object.assign(this, { element, say, models, destinations, writes, changed });
    this.operators = new Map();
    this.names = 0;
    this.touched = 0; // how often somebody did something to it
    this.pressed = false; // what is pressed must be there until it is let go, or it is no click
    this.cannot = document.querySelector("[data-cannot]");
    element.addEventListener("submit", (event) => event.preventDefault());
    element.addEventListener("change", (event) => {
      if (event.target.matches("[data-add-action]")) this.addAction(event.target);
      else if (event.target.dataset.part === "attribute") this.named(event.target.closest(".clause"));
      else this.told();
    });
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("pointerdown", () => { this.pressed = true; });
    for (const end of ["pointerup", "pointercancel"]) {
      document.addEventListener(end, () => setTimeout(() => { this.pressed = false; }));
    }
    element.addEventListener("input", (event) => {
      this.touched++;
      if (event.target.dataset.part === "attribute") this.suggest(event.target.value);
    });
    element.addEventListener("focusin", (event) => {
      if (event.target.matches("[data-value]")) this.offer(event.target);
    });
  }

  told() {
    this.touched++;
    if (this.writes) this.changed(() => this.value());
  }

  /* From the text */

  show({ form, cannot }) {
    const say = this.say;
    this.element.hidden = !form;
    this.cannot.hidden = !cannot;
    if (cannot) {
      const words = cannot.line ? say.cannot : say.cannot_whole;
      this.cannot.textContent = words.replace("{line}", cannot.line).replace("{why}", cannot.why);
    }
    if (!form) return;
    const focused = this.focus();
    this.form = form;
    for (const key of ["name", "description", "priority", "deadline", "on_unknown"]) this.element.elements[key].value = form[key];
    for (const key of ["stop", "active"]) this.element.elements[key].value = form[key] === null ? "" : String(form[key]);
    const when = this.element.querySelector("[data-when]");
    when.replaceChildren();
    this.fill(when, form.when);
    for (const key of ["within", "else"]) this.element.elements[key].value = form[key];
    this.element.querySelector("[data-needs]").replaceChildren(...form.needs.map((one) => this.need(one)));
    this.counted();
    const then = this.element.querySelector("[data-then]");
    then.replaceChildren(...form.then.map((one) => this.action(one)));
    for (const field of this.element.elements) if (!this.writes) field.disabled = true;
    this.refocus(focused);
  }

  // The path of the focused field among all fields, so that it is found again after the form was drawn anew.
  focus() {
    const fields = [...this.element.querySelectorAll("input, select, textarea, button")];
    const at = fields.indexOf(document.activeElement);
    return at < 0 ? null : { at, start: document.activeElement.selectionStart ?? null };
  }

  refocus(focused) {
    if (!focused) return;
    const fields = [...this.element.querySelectorAll("input, select, textarea, button")];
    const field = this.wanted ? this.element.querySelector(this.wanted) : fields[Math.min(focused.at, fields.length - 1)];
    this.wanted = null;
    field?.focus();
    if (focused.start !== null && field?.setSelectionRange) try { field.setSelectionRange(focused.start, focused.start); } catch { /* not a text */ }
  }

  fill(place, group) {
    place.dataset.at = group.at;
    place.dataset.fixed = group.fixed ? "yes" : "";
    for (const part of group.parts) place.append(part.kind === "group" ? this.group(part) : this.clause(part));
    if (this.writes && !group.fixed) place.append(document.getElementById("adders").content.cloneNode(true));
  }

  group(group) {
    const made = document.getElementById("group").content.cloneNode(true).firstElementChild;
    made.querySelector('[data-part="how"]').value = group.how;
    made.dataset.at = group.at;
    this.fill(made.querySelector("[data-parts]"), group);
    return made;
  }

  // One series of the study, with its conditions.
  need(need) {
    const made = document.getElementById("need").content.cloneNode(true).firstElementChild;
    made.dataset.at = need.at;
    const name = made.querySelector('[data-part="name"]');
    name.value = need.name;
    made.setAttribute("aria-label", need.name || name.placeholder);
    this.fill(made.querySelector("[data-parts]"), need.when);
    return made;
  }

  // How long is waited, and what then, is asked where there is something to wait for.
  counted() {
    const needs = [...this.element.querySelectorAll("[data-needs] > .need")];
    this.element.querySelector("[data-of-needs]").hidden = !needs.length;
    needs.forEach((one, number) => { one.querySelector("[data-earlier]").disabled = !number || !this.writes; });
  }

  clause(clause) {
    const made = document.getElementById("clause").content.cloneNode(true).firstElementChild;
    const part = (name) => made.querySelector(`[data-part="${name}"]`);
    made.dataset.at = clause.at;
    made.setAttribute("aria-label", clause.attribute || this.say.value);
    const input = part("attribute");
    input.id = `attribute-${++this.names}`;
    made.querySelector("label").htmlFor = input.id;
    input.value = clause.attribute;
    part("negated").value = clause.negated ? "not" : "";
    part("quantifier").value = clause.quantifier;
    this.choose(part("operator"), clause.operator, clause.attribute);
    this.values(part("values"), clause.operator, clause.values, clause.attribute);
    part("operator").addEventListener("change", () => this.values(part("values"), part("operator").value, this.typed(part("values")), input.value));
    return made;
  }

  async choose(select, operator, attribute) {
    const put = (names) => select.replaceChildren(...names.map(([name, says]) => Object.assign(new Option(name, name), { title: says })));
    const known = this.operators.get(attribute);
    put(known ?? [[operator, ""]]);
    select.value = operator;
    if (known || !attribute) return;
    try {
      const found = await api.call("GET", `/api/v1/rules/words/operators?attribute=${encodeURIComponent(attribute)}`);
      const names = found.map((one) => [one.name, one.says]);
      this.operators.set(attribute, names);
      const now = select.value || operator;
      put(names.some(([name]) => name === now) ? names : [[now, ""], ...names]);
      select.value = now;
    } catch { /* the text says what is wrong with it */ }
  }

  values(place, operator, values, attribute) {
    place.replaceChildren();
    if (operator === "exists") {
      const select = this.field("select", this.say.value);
      select.append(new Option("true", "true"), new Option("false", "false"));
      select.value = values[0] === "false" ? "false" : "true";
      place.append(select);
      return;
    }
    const several = (MANY.has(operator) && !(values[0] ?? "").startsWith("lists.")) || values.length > 1;
    const field = this.field(several ? "textarea" : "input", several ? this.say.values : this.say.value);
    if (several) field.rows = Math.min(6, Math.max(2, values.length));
    field.value = values.join(several ? "\n" : "");
    field.dataset.value = attribute;
    field.spellcheck = false;
    place.append(field);
  }

  field(name, label) {
    const made = document.createElement(name);
    made.setAttribute("aria-label", label);
    return made;
  }

  action(action) {
    const say = this.say;
    const made = document.getElementById("action").content.cloneNode(true).firstElementChild;
    made.dataset.kind = action.kind;
    made.dataset.at = action.at;
    made.dataset.unsuitable = action.unsuitable ? "yes" : "";
    made.setAttribute("aria-label", say[action.kind]);
    made.querySelector('[data-part="kind"]').textContent = say[action.kind];
    const place = made.querySelector('[data-part="values"]');
    const put = (name, label, key, value) => {
      const field = this.field(name, label);
      field.dataset.key = key;
      if (value !== undefined) field.value = value;
      place.append(field);
      return field;
    };
    if (action.kind === "infer") {
      const model = put("input", say.version_of, "values", action.values[0] ?? "");
      model.setAttribute("list", this.list("models", this.models));
      const volume = put("select", say.volume, "volume");
      const told = [["", say.volume_only], ["first", say.volume_first], ["each", say.volume_each]];
      if (!told.some(([value]) => value === action.volume)) told.push([action.volume, action.volume]);
      volume.append(...told.map(([value, words]) => new Option(words, value)));
      volume.value = action.volume;
      const label = document.createElement("label");
      label.className = "check small";
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: action.unsuitable });
      box.dataset.key = "unsuitable";
      label.append(box, ` ${say.unsuitable}`);
      place.append(label);
    } else if (action.kind === "deliver") {
      const names = [...new Set([...this.destinations, ...action.values])];
      for (const name of names) {
        const label = document.createElement("label");
        label.className = "check";
        const box = Object.assign(document.createElement("input"), { type: "checkbox", value: name, checked: action.values.includes(name) });
        box.dataset.key = "values";
        label.append(box, ` ${name}`);
        place.append(label);
      }
    } else if (action.kind === "hold" || action.kind === "ignore") put("input", say.reason, "values", action.values[0] ?? "").placeholder = say.reason;
    else {
      const words = put("textarea", action.kind === "tag" ? say.words : say.who, "values", action.values.join("\n"));
      words.rows = 1;
      if (action.kind === "notify") put("input", say.say, "say", action.say).placeholder = say.say;
    }
    return made;
  }

  list(id, names) {
    if (!document.getElementById(id)) {
      const made = Object.assign(document.createElement("datalist"), { id });
      made.append(...names.map((name) => new Option(name, name)));
      document.body.append(made);
    }
    return id;
  }

  /* What is known of this site */

  suggest(typed) {
    clearTimeout(this.typing);
    this.typing = setTimeout(async () => {
      const found = await api.call("GET", `/api/v1/rules/words?limit=30&text=${encodeURIComponent(typed)}`);
      const list = document.getElementById("attributes");
      list.replaceChildren(...found.map((one) => Object.assign(new Option(one.name, one.name), { label: one.title || one.kind })));
    }, 150);
  }

  async offer(field) {
    const attribute = field.dataset.value;
    if (!attribute || field.tagName !== "INPUT" || field.list) return;
    const id = `seen-${attribute.replace(/\W/g, "-")}`;
    if (!document.getElementById(id)) {
      const made = Object.assign(document.createElement("datalist"), { id });
      document.body.append(made);
      const found = await api.call("GET", `/api/v1/rules/words/values?attribute=${encodeURIComponent(attribute)}`).catch(() => []);
      made.append(...found.map((one) => Object.assign(new Option(one.value, one.value), { label: `${one.value} (${one.series})` })));
    }
    field.setAttribute("list", id);
  }

  async named(clause) {
    const attribute = clause.querySelector('[data-part="attribute"]').value.trim();
    const operator = clause.querySelector('[data-part="operator"]');
    const now = operator.value || "equals";
    await this.choose(operator, now, attribute);
    const values = clause.querySelector('[data-part="values"]');
    for (const field of values.children) field.dataset.value = attribute;
    if (this.typed(values).length) this.told();
    else values.firstElementChild?.focus();
  }

  /* What is clicked */

  clicked(event) {
    const remove = event.target.closest("[data-remove]");
    const add = event.target.closest("[data-add]");
    const earlier = event.target.closest("[data-earlier]");
    if (add) this.touched++;
    if (remove) {
      remove.closest(".clause, .group, .action, .need").remove();
      this.counted();
      this.told();
    } else if (earlier) {
      const need = earlier.closest(".need");
      need.previousElementSibling.before(need);
      need.querySelector('[data-part="name"]').focus(); // what is moved loses it
      this.counted();
      this.told();
    } else if (add?.dataset.add === "need") {
      const made = this.need({ name: "", when: { kind: "group", how: "all", parts: [], fixed: false, at: "" }, at: "" });
      this.element.querySelector("[data-needs]").append(made);
      const within = this.element.elements.within;
      if (!within.value) within.value = within.placeholder;
      this.counted();
      made.querySelector('[data-part="name"]').focus();
    } else if (add) {
      const place = add.closest("[data-when], [data-parts]");
      const fresh = { kind: "clause", attribute: "", operator: "equals", values: [], quantifier: "", negated: false, at: "" };
      const made = add.dataset.add === "clause" ? this.clause(fresh) : this.group({ how: "any", parts: [fresh], fixed: false, at: "" });
      add.closest(".add").before(made);
      made.querySelector('[data-part="attribute"]').focus();
    }
  }

  addAction(select) {
    if (!select.value) return;
    const made = this.action({ kind: select.value, values: [], volume: "", unsuitable: false, say: "", at: "" });
    select.value = "";
    this.touched++;
    this.element.querySelector("[data-then]").append(made);
    made.querySelector("input, select, textarea")?.focus();
    if (made.dataset.kind === "hold" || made.dataset.kind === "ignore") this.told();
  }

  /* To the text */

  value() {
    const fields = this.element.elements;
    const form = { when: this.readGroup(this.element.querySelector("[data-when]"), "all"), then: this.readActions() };
    for (const key of ["name", "description", "priority", "deadline", "on_unknown"]) form[key] = fields[key].value.trim();
    for (const key of ["stop", "active"]) form[key] = FLAGS[fields[key].value];
    form.needs = this.readNeeds();
    for (const key of ["within", "else"]) form[key] = form.needs.length ? fields[key].value.trim() : "";
    return form;
  }

  readGroup(place, how) {
    const parts = [...place.children].map((child) => {
      if (child.classList.contains("clause")) return this.readClause(child);
      if (!child.classList.contains("group")) return null;
      const inner = this.readGroup(child.querySelector("[data-parts]"), child.querySelector('[data-part="how"]').value);
      inner.at = child.dataset.at;
      return inner.parts.length ? inner : null;
    });
    return { kind: "group", how, parts: parts.filter(Boolean), fixed: place.dataset.fixed === "yes", at: place.dataset.at ?? "" };
  }

  // A series without a name is none yet.
  readNeeds() {
    return [...this.element.querySelectorAll("[data-needs] > .need")].map((element) => ({
      name: element.querySelector('[data-part="name"]').value.trim(),
      when: this.readGroup(element.querySelector("[data-parts]"), "all"),
      at: element.dataset.at,
    })).filter((one) => one.name);
  }

  // A condition that is not filled in yet is none.
  readClause(element) {
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
    const attribute = part("attribute").value.trim();
    const values = this.typed(part("values"));
    if (!attribute || !values.length) return null;
    return {
      kind: "clause", attribute, operator: part("operator").value || "equals", values,
      quantifier: part("quantifier").value, negated: part("negated").value === "not", at: element.dataset.at,
    };
  }

  typed(place) {
    const field = place.firstElementChild;
    if (!field) return [];
    return (field.tagName === "TEXTAREA" ? field.value.split("\n") : [field.value]).map((one) => one.trim()).filter(Boolean);
  }

  readActions() {
    return [...this.element.querySelectorAll("[data-then] > .action")].map((element) => {
      const made = { kind: element.dataset.kind, values: [], volume: "", unsuitable: false, say: "", at: element.dataset.at };
      for (const field of element.querySelectorAll("[data-key]")) {
        if (field.dataset.key === "unsuitable") made.unsuitable = field.checked;
        else if (field.type === "checkbox") { if (field.checked) made.values.push(field.value); }
        else if (field.dataset.key === "values") made.values.push(...field.value.split("\n").map((one) => one.trim()).filter(Boolean));
        else made[field.dataset.key] = field.value.trim();
      }
      return made;
    }).filter((one) => one.values.length || one.kind === "hold" || one.kind === "ignore");
  }
}
