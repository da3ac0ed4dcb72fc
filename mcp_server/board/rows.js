/* Owns how tasks are drawn. Whatever people wrote becomes text, never markup. */

const HOST_COLOURS = ["background-primary", "background-secondary", "text-primary", "text-secondary", "border-primary"];
const DAY_MS = 86_400_000;
const SHORT = 32;

const $ = (id) => document.getElementById(id);
const copyOf = (id) => $(id).content.firstElementChild.cloneNode(true);

let locale;
let today = new Date().toISOString().slice(0, 10);

function made(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Somebody's words: whichever way they run, they turn nothing around them. */
function said(text, className = "") {
  const element = made("bdi", className, String(text));
  element.dir = "auto";
  return element;
}

// ---- the host's looks ----

function dress({ theme, styles, locale: language, safeAreaInsets, containerDimensions }) {
  const root = document.documentElement.style;
  if (theme) root.colorScheme = theme;
  const given = styles?.variables ?? {};
  // Some of a host's colours among some of ours may be unreadable: all that are used here, or none.
  if (HOST_COLOURS.every((name) => given[`--color-${name}`])) {
    for (const name of HOST_COLOURS) root.setProperty(`--color-${name}`, given[`--color-${name}`]);
  }
  if (given["--font-sans"]) root.setProperty("--font-sans", given["--font-sans"]);
  if (safeAreaInsets) {
    const { top, right, bottom, left } = safeAreaInsets;
    document.body.style.padding = [top, right, bottom, left].map((side) => `${Number(side) || 0}px`).join(" ");
  }
  if (containerDimensions) document.body.classList.toggle("fixed", "height" in containerDimensions);
  if (language) {
    try {
      [locale] = Intl.getCanonicalLocales(language);
    } catch {
      locale = undefined;
    }
  }
}

// ---- days, which are the person's already ----

function dayShown(iso) {
  const at = Date.parse(iso.slice(0, 10));
  const away = Math.round((at - Date.parse(today)) / DAY_MS);
  if (Math.abs(away) <= 1) {
    const word = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(away, "day");
    return word.charAt(0).toLocaleUpperCase(locale) + word.slice(1);
  }
  const year = iso.slice(0, 4) === today.slice(0, 4) ? {} : { year: "numeric" };
  return new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", ...year, timeZone: "UTC" }).format(at);
}

function momentShown(iso) {
  if (iso.length <= 10) return dayShown(iso);
  const at = Date.parse(`${iso.slice(0, 16)}Z`);
  return `${dayShown(iso)}, ${new Intl.DateTimeFormat(locale, { timeStyle: "short", timeZone: "UTC" }).format(at)}`;
}

function dueShown({ due, tz }) {
  return tz ? `${momentShown(due)} ${tz}` : momentShown(due);
}

function durationShown(minutes) {
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return [hours && `${hours} h`, rest && `${rest} min`].filter(Boolean).join(" ");
}

// ---- a task on its line ----

function draw(row, task, parentTitle, { canChange, canOpen }) {
  const box = row.querySelector(".tick input");
  const isClosed = task.status === "done" || task.status === "cancelled";
  box.checked = isClosed;
  box.disabled = !canChange || task.status === "trash";
  box.setAttribute("aria-label", `Done: ${task.title}`);
  row.classList.toggle("closed", isClosed || task.status === "trash");
  row.querySelector(".name").textContent = task.title;
  row.querySelector(".facts").replaceChildren(...facts(task, parentTitle));
  row.querySelector(".open").disabled = !canOpen;
}

function facts(task, parentTitle = task.parent) {
  const found = [];
  const add = (text, className) => text && found.push(said(text, className));
  add(task.status);
  add(task.priority, `badge ${task.priority}`);
  if (task.due) {
    const day = task.due.slice(0, 10);
    add(dueShown(task), task.status || day > today ? "" : day < today ? "late" : "now");
  }
  add(task.repeat);
  add(task.list && `#${[task.list, task.section].filter(Boolean).join("/")}`);
  for (const tag of task.tags ?? []) add(`@${tag}`);
  add(task.start && `from ${dayShown(task.start)}`);
  add(task.deadline && `deadline ${dayShown(task.deadline)}`);
  add(task.parent && `part of ${shortened(parentTitle)}`);
  add(task.assignee && `for ${task.assignee}`);
  add(task.blocked && "blocked");
  add(task.by && `by ${task.by}`);
  add(task.from && `from ${task.from}`);
  return found;
}

function shortened(text) {
  const characters = [...text];
  return characters.length > SHORT ? `${characters.slice(0, SHORT).join("").trimEnd()}…` : text;
}

// ---- a task in full ----

function drawPanel(panel, task, canChange) {
  panel.setAttribute("aria-label", `Details of ${task.title}`);
  panel.querySelector(".change").hidden = !canChange || task.status === "trash";
  for (const button of panel.querySelectorAll("[data-priority]")) {
    button.setAttribute("aria-pressed", String(button.dataset.priority === (task.priority ?? "p4")));
  }
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.ref : undefined;
  panel.querySelector(".known").replaceChildren(...known(task, canChange));
  if (focused) panel.querySelector(`[data-ref="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function known(task, canChange) {
  const found = [];
  if (task.notes) found.push(section("Notes", said(task.notes, "notes")));
  if (task.subtasks) found.push(section("Subtasks", subtasks(task, canChange)));
  const facts = Object.entries({
    "Blocked by": task.blocked_by?.join(", "),
    Blocks: task.blocks?.join(", "),
    Reminders: task.reminders?.join(", "),
    Estimate: task.estimate_min && durationShown(task.estimate_min),
    ...task.fields,
    Created: task.created && momentShown(task.created),
    Changed: task.updated && task.updated !== task.created && momentShown(task.updated),
  }).filter(([, value]) => value);
  const list = made("dl", "");
  for (const [name, value] of facts) list.append(made("dt", "", said(name)), made("dd", "", said(value)));
  if (task.comments) found.push(section("Comments", comments(task)));
  if (facts.length) found.push(list);
  return found;
}

function section(name, content) {
  return made("section", "", made("h2", "", name), content);
}

function subtasks(task, canChange) {
  const list = made("ul", "inner");
  for (const child of task.subtasks) {
    const box = made("input", "");
    box.type = "checkbox";
    box.checked = child.status === "done" || child.status === "cancelled";
    box.disabled = !canChange;
    box.dataset.ref = child.ref;
    const label = made("label", "", box, said(child.title));
    list.append(made("li", box.checked ? "closed" : "", label, ...(child.due ? [said(dueShown(child), "aside")] : [])));
  }
  if (task.subtasks_more) list.append(made("li", "aside", `and ${task.subtasks_more} more`));
  return list;
}

function comments(task) {
  const list = made("ul", "inner");
  if (task.comments_before) list.append(made("li", "aside", `${task.comments_before} earlier`));
  for (const { by, at, body } of task.comments) {
    list.append(made("li", "comment", made("div", "aside", said(by), `, ${momentShown(at)}`), said(body, "notes")));
  }
  return list;
}
