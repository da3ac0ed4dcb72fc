// Owns cards: how their components become elements, and what is sent when one of their controls is pressed.

import { element, flag, newId, said } from "./elements.js";
import { paint } from "./markdown.js";
import { WORDS } from "./words.js";

const TONES = new Set(["secondary", "success", "danger", "warning", "info"]);
const ICONS = new Map([["empty-circle", "ring"], ["check-circle-filled", "check"]]);

/** Whether a card shows an earlier state than another; its key ends with the revision. */
export function isOlder(one, other) {
  const revision = ({ widget }) => Number(/@(\d+)$/.exec(widget?.key)?.[1] ?? 0);
  return revision(one) < revision(other);
}

/** One card. Drawn again, it keeps the focus, and what was typed into fields that are still the same. */
export class Card {
  #node;
  #press;
  #item = null;
  #controls = []; // everything that takes the focus: {node, place, action} or {node, place, name}
  #running = new Map(); // the actions that have not come back yet, by what they are
  #failure = element("p", "failure");

  /** `press(item, action)` does what a control asks for, and returns why not, if it was refused. */
  constructor(node, press) {
    this.#node = node;
    this.#press = press;
    this.#failure.setAttribute("role", "alert");
  }

  draw(item) {
    const before = this.#controls;
    const held = before.find(({ node }) => node === document.activeElement);
    const known = new Map(before.filter((one) => one.name && !one.isSent).map((one) => [one.place, one.node]));
    const run = (action, fields) => this.#run(action, fields);
    this.#item = item;
    this.#controls = [];
    const parts = build(item.widget, { key: "", controls: this.#controls, known, run, form: null, ids: new Map() });
    this.#node.replaceChildren(...parts, this.#failure);
    this.#node.setAttribute("aria-label", `${WORDS.card}: ${(item.copy_text ?? "").split("\n", 1)[0]}`);
    for (const { node, name } of this.#controls) {
      if (name && node.labels.length === 0) node.setAttribute("aria-label", node.placeholder || name);
    }
    this.#mark();
    if (held) this.#giveFocus(held.place);
  }

  async #run(action, fields = []) {
    if (!action || this.#isWaiting(action)) return;
    const what = JSON.stringify(action);
    const sent = { ...action, payload: filled(action.payload, fields) };
    this.#running.set(what, action);
    for (const field of fields) field.isSent = true; // what was sent is not kept for the next time
    this.#say(null);
    let refusal = { message: WORDS.failed };
    try {
      refusal = await this.#press(this.#item, sent);
    } finally {
      this.#running.delete(what);
      if (refusal) for (const field of fields) field.isSent = false;
      this.#say(refusal);
    }
  }

  #isWaiting(action) {
    if (this.#running.has(JSON.stringify(action))) return true;
    return Boolean(action.streaming) && [...this.#running.values()].some(({ streaming }) => streaming);
  }

  #say(refusal) {
    this.#failure.replaceChildren(...(refusal ? [said("strong", "", refusal.message)] : []));
    if (refusal?.hint) this.#failure.append(" ", said("span", "", refusal.hint));
    this.#mark();
  }

  /** Not by the attribute `disabled`: that would take the focus away. */
  #mark() {
    for (const { node, action } of this.#controls) {
      if (!action) continue;
      flag(node, "aria-busy", this.#running.has(JSON.stringify(action)));
      flag(node, "aria-disabled", this.#isWaiting(action));
    }
  }

  /** The control at the same place may be of a newer revision; where there is none, the card itself is next to it. */
  #giveFocus(place) {
    const lasting = (text) => text.replace(/@\d+/, "");
    const next = this.#controls.find((one) => lasting(one.place) === lasting(place));
    if (!next) this.#node.tabIndex = -1;
    (next?.node ?? this.#node).focus({ preventScroll: true });
  }
}

/** The payload with what was typed; what stands in it already stays. */
function filled(payload, fields) {
  const typed = fields.map(({ name, node }) => [name, node.type === "checkbox" ? node.checked : node.value]);
  return { ...Object.fromEntries(typed), ...payload };
}

function build(component, at) {
  const inner = component?.key ? { ...at, key: component.key } : at;
  const draw = COMPONENTS.get(component?.type) ?? children;
  return [draw(component ?? {}, inner)].flat();
}

function children({ children: inner = [] }, at) {
  return [inner].flat().flatMap((child) => build(child, at));
}

const box = (tag, className) => (component, at) => element(tag, className, ...children(component, at));

const COMPONENTS = new Map([
  ["Card", box("div", "card stack")],
  ["Basic", box("div", "stack")],
  ["ListView", drawList],
  ["ListViewItem", drawListItem],
  ["Row", drawRow],
  ["Col", box("div", "stack grow")],
  ["Box", box("div", "cell")],
  ["Form", drawForm],
  ["Text", drawText],
  ["Title", (component) => drawText({ ...component, weight: "bold" })],
  ["Caption", (component) => drawText({ ...component, size: "sm" })],
  ["Markdown", drawMarkdown],
  ["Badge", ({ label, color }) => said("span", `badge ${TONES.has(color) ? color : ""}`, label)],
  ["Button", drawButton],
  ["Label", drawLabel],
  ["Input", drawInput],
  ["Textarea", (component, at) => field(component, at, () => element("textarea"))],
  ["Select", drawSelect],
  ["Checkbox", drawCheckbox],
  ["Divider", () => element("hr")],
  ["Spacer", () => element("span", "grow")],
  ["Chart", drawChart],
]);

function drawList(component, at) {
  const head = component.status?.text ? [said("p", "text strong", component.status.text)] : [];
  return element("div", "card stack", ...head, element("ul", "rows", ...children(component, at)));
}

function drawListItem(component, at) {
  const first = at.controls.length;
  const node = element("li", "row", ...children(component, at));
  const title = node.querySelector(".text");
  if (!title) return node;
  title.id = newId(); // every row has the same buttons: each says of what
  for (const control of at.controls.slice(first)) control.node.setAttribute("aria-describedby", title.id);
  return node;
}

function drawRow(component, at) {
  const parts = [component.children ?? []].flat();
  const isTable = parts.length > 1 && parts.every((part) => part?.type === "Box");
  return element("div", isTable ? "row cells" : "row", ...children(component, at));
}

function drawText({ value, weight, size, color, lineThrough }) {
  const isStrong = ["medium", "semibold", "bold"].includes(weight);
  const isQuiet = color === "secondary" || ["xs", "sm"].includes(size);
  return said(lineThrough ? "s" : "span", `text${isStrong ? " strong" : ""}${isQuiet ? " quieter" : ""}`, value);
}

function drawMarkdown({ value = "" }) {
  const node = element("div", "prose");
  paint(node, String(value));
  return node;
}

function drawForm(component, at) {
  const fields = [];
  const form = { action: component.onSubmitAction, fields };
  const node = element("form", "form", ...children(component, { ...at, form, ids: new Map() }));
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    at.run(form.action, fields);
  });
  return node;
}

function drawButton({ label, submit, iconStart, onClickAction }, at) {
  const action = submit ? at.form?.action : onClickAction;
  const node = said("button", `secondary ${ICONS.get(iconStart) ?? ""}`, label);
  node.type = submit ? "submit" : "button";
  if (!submit) node.addEventListener("click", () => at.run(action));
  const nth = at.controls.filter((one) => one.key === at.key).length;
  at.controls.push({ node, action, key: at.key, place: `${at.key} #${nth}` });
  return node;
}

/** A field has no name in the document: among the names of a form, some would hide the form's own. */
function field({ name = "", defaultValue = "", placeholder = "", required = false }, at, make) {
  const place = `${at.key} ${name}`;
  const node = at.known.get(place) ?? make();
  if (!at.known.has(place)) {
    if (node.type === "checkbox") node.checked = Boolean(defaultValue);
    else node.value = defaultValue;
    node.placeholder = placeholder;
    node.required = Boolean(required);
    node.dir = "auto";
  }
  node.id = idOf(name, at);
  const control = { node, name, place, key: at.key };
  at.controls.push(control);
  at.form?.fields.push(control);
  return node;
}

function idOf(name, { ids }) {
  if (!ids.has(name)) ids.set(name, newId());
  return ids.get(name);
}

function drawLabel({ value, fieldName }, at) {
  const node = said("label", "text quieter", value);
  node.htmlFor = idOf(fieldName, at);
  return node;
}

function drawInput(component, at) {
  return field(component, at, () => {
    const node = element("input");
    node.type = "text";
    node.autocomplete = "off";
    return node;
  });
}

function drawSelect(component, at) {
  return field(component, at, () => {
    const options = (component.options ?? []).map(({ value, label }) => new Option(label, value));
    return element("select", "", ...options);
  });
}

function drawCheckbox({ name, label, defaultChecked }, at) {
  const node = field({ name, defaultValue: defaultChecked }, at, () => {
    const made = element("input");
    made.type = "checkbox";
    return made;
  });
  return element("label", "choice", node, said("span", "", label));
}

/** Bars with their numbers beside them. */
function drawChart({ data = [], series = [], xAxis }) {
  const label = xAxis?.dataKey ?? xAxis;
  const most = Math.max(...data.flatMap((row) => series.map(({ dataKey }) => Math.abs(row[dataKey]) || 0)), 0);
  const cell = (value) => {
    if (typeof value !== "number") return element("td", "", "–");
    const bar = element("progress");
    Object.assign(bar, { max: most || 1, value: Math.abs(value) });
    flag(bar, "aria-hidden", true);
    return element("td", "", bar, " ", value.toLocaleString());
  };
  const rows = data.map((row) => {
    const head = said("th", "", row[label]);
    head.scope = "row";
    return element("tr", "", head, ...series.map(({ dataKey }) => cell(row[dataKey])));
  });
  const heads = series.map((one) => said("th", "", one.label));
  const top = series.length > 1 ? [element("thead", "", element("tr", "", element("td"), ...heads))] : [];
  const node = element("div", "table", element("table", "chart", ...top, element("tbody", "", ...rows)));
  node.tabIndex = 0;
  return node;
}
