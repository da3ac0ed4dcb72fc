/* Owns what the person does: every press becomes a call of a tool, and its end is shown where it was pressed. */

const LONELY_MS = 5_000;
const REMEMBERED = 10;

const unanswered = new Map(); // what was sent and may have happened, with the id it was sent under
const done = []; // what the model has not seen the person do

/** Whatever is sent a second time because nobody answered carries the id it had: it cannot happen twice. */
async function write(tool, asked) {
  const what = JSON.stringify([tool, asked]);
  const id = unanswered.get(what) ?? [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("-");
  unanswered.set(what, id);
  const answer = await host.call(tool, { ...asked, request_id: id });
  unanswered.delete(what);
  return answer;
}

/** One write at a place of the page, which shows that it runs and what went wrong; true when it was done. */
async function act(place, tool, asked, tellDone) {
  if (place.getAttribute("aria-busy") === "true") return false;
  place.setAttribute("aria-busy", "true");
  say(place, "");
  try {
    const answer = await write(tool, asked);
    if (answer.failed) {
      say(place, answer.text);
      return false;
    }
    tellModel(answer.text);
    showNotice(place, answer, tellDone);
    await refresh();
    return true;
  } catch (error) {
    say(place, error.message);
    return false;
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function showNotice(place, answer, tellDone) {
  const { values = {} } = answer;
  const alias = /^[^:]+:/.exec(values.refs?.[0] ?? "")?.[0] ?? "";
  const isUndo = values.tool === "undo";
  // Some hosts keep the values to themselves; the sentence is there in any case.
  const text = values.op ? tellDone(values.tasks?.[0] ?? {}) : answer.text.split("\n", 1)[0];
  notice.querySelector(".text").textContent = [text, ...(isUndo ? [] : values.notes ?? [])].join(" · ");
  notice.dataset.op = values.op && !isUndo ? `${alias}${values.op}` : "";
  const focused = document.activeElement === notice.querySelector("button");
  notice.querySelector("button").hidden = !notice.dataset.op;
  if (focused) $("title").focus({ preventScroll: true });
  say(notice, "");
  if (place.isConnected && place.classList.contains("row")) place.after(notice);
  else if (place !== notice) list.prepend(notice);
  $("live").textContent = text;
}

function tellModel(text) {
  done.push(text);
  if (done.length > REMEMBERED) done.shift();
  if (can.tell) host.tell(`In the task list on the screen the person has just done this:\n${done.join("\n")}`);
}

function say(place, text) {
  const error = place.querySelector(":scope > .error");
  error.textContent = text;
  error.hidden = !text;
}

async function add() {
  const [title, due] = [$("new-title"), $("new-due")];
  if (!title.value.trim()) return title.focus();
  const task = { title: title.value.trim(), ...(due.value.trim() && { due: due.value.trim() }) };
  const added = await act($("add"), "tasks_add", { tasks: [task] }, (one) =>
    ["Added", one.title, one.due && dueShown(one), one.list && `#${one.list}`].filter(Boolean).join(" · "));
  if (!added) return;
  // What was typed meanwhile is another task.
  if (title.value.trim() === task.title) title.value = due.value = "";
  title.focus();
}

function tick(box) {
  const row = box.closest(".row");
  const [ref, title] = [box.dataset.ref ?? row.dataset.ref, box.dataset.ref ? box.parentElement.textContent : taskOf(row.dataset.ref).title];
  const isDone = box.checked;
  act(row, "tasks_complete", { refs: [ref], ...(isDone ? {} : { done: false }) }, (task) => {
    if (isDone && !task.status && task.due) return `Done · ${title} · next ${dueShown(task)}`;
    return `${isDone ? "Done" : "Open again"} · ${title}`;
  }).then((ticked) => { if (!ticked) box.checked = !isDone; });
}

function edit(row, change, tellChange) {
  const { ref } = row.dataset;
  return act(row, "tasks_edit", { changes: [{ refs: [ref], ...change }] }, (task) => `${tellChange(task)} · ${task.title}`);
}

const tellDue = (task) => `Due ${dueShown(task)}`;

const DEEDS = {
  due(row, { day }) {
    const { due = "", tz = "" } = taskOf(row.dataset.ref);
    // Another day, but the same time.
    edit(row, { due: [day, due.slice(11), due.length > 10 ? tz : ""].filter(Boolean).join(" ") }, tellDue);
  },
  undated(row) {
    edit(row, { clear: ["due"] }, () => "No date");
  },
  async words(row) {
    const input = panel.querySelector("input");
    if (!input.value.trim()) return input.focus();
    if (await edit(row, { due: input.value.trim() }, tellDue)) input.value = "";
  },
  priority(row, { priority }) {
    edit(row, { priority }, () => `Priority ${priority}`);
  },
  delete(row) {
    const { ref } = row.dataset;
    const { title } = taskOf(ref);
    act(row, "tasks_delete", { refs: [ref] }, () => `In the trash · ${title}`);
  },
  undo() {
    act(notice, "undo", { op: notice.dataset.op }, () => "Undone");
  },
};

list.addEventListener("click", (event) => {
  const place = event.target.closest(".row, .notice");
  if (place?.getAttribute("aria-busy") === "true") return event.preventDefault();
  const button = event.target.closest("button");
  if (button?.classList.contains("open")) open(place);
  else if (button) DEEDS[button.dataset.do](place, button.dataset);
});
list.addEventListener("change", ({ target }) => target.type === "checkbox" && tick(target));
list.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && opened) {
    const button = rows.get(opened).querySelector(".open");
    close();
    button.focus();
  } else if (isEnter(event) && event.target.type === "text") DEEDS.words(event.target.closest(".row"));
});

// A form would be simpler, but hosts may forbid forms to what they show.
const isEnter = (event) => event.key === "Enter" && !event.isComposing;
$("add").addEventListener("keydown", (event) => { if (isEnter(event) && event.target.type === "text") add(); });
$("new-go").addEventListener("click", add);
$("more").addEventListener("click", showMore);
$("refresh").addEventListener("click", () => { notice.remove(); refresh(); });
$("chips").addEventListener("click", ({ target }) => {
  const pressed = target.closest("button");
  if (!pressed) return;
  const { filter } = pressed.dataset;
  notice.remove();
  close();
  setQuestion({ filter }, chip?.[0]);
  [...$("chips").children].find((one) => one.dataset.filter === filter).focus();
  refresh(0);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && askedAt && Date.now() - askedAt > STALE_MS) refresh();
});

// ---- the beginning ----

const saySoAlone = () => { $("state").textContent = "This task list works inside a client that shows MCP Apps."; };
const lonely = setTimeout(saySoAlone, parent === window ? 0 : LONELY_MS);

if (parent !== window) {
  const { hostCapabilities = {}, hostContext = {} } = await host.greet();
  clearTimeout(lonely);
  can = { call: Boolean(hostCapabilities.serverTools), tell: Boolean(hostCapabilities.updateModelContext) };
  dress(hostContext);
  setQuestion({});
  $("state").textContent = "Waiting for the tasks…";
  drawAll();
  const whole = document.documentElement;
  new ResizeObserver(() => host.resized(Math.ceil(whole.getBoundingClientRect().height))).observe(whole);
}
