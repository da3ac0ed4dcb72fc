/* Owns what is shown: which list, how it stays true, and the one task that is shown in full. */

const PAGE = 25;
const MOST = 200;
const STALE_MS = 60_000;
const CHIPS = [
  ["Today", "due:<=today"],
  ["Overdue", "due:overdue"],
  ["This week", 'due:<="this week"'],
  ["Inbox", "list:Inbox"],
  ["All open", ""],
];

const host = hostAround(hear);
const list = $("list");
const rows = new Map(); // by reference
const notice = copyOf("notice");
const panel = copyOf("panel");

let can = { call: false, tell: false };
let question = {}; // the arguments that find this list
let chip; // the one the list came with, when it is none of ours
let page = { tasks: [], total: 0, cursor: "" };
let askedAt = 0;
let turn = 0;
let opened = "";
let given; // the arguments of the call that this list came with
let hasResult = false;

// ---- what the host says ----

function hear(method, params) {
  if (method === "ui/notifications/host-context-changed") {
    dress(params);
    drawAll();
  } else if (method === "ui/notifications/tool-input") {
    given = params.arguments ?? {};
  } else if (method === "ui/notifications/tool-result" && !hasResult) {
    hasResult = true;
    receive(answerOf(params));
  } else if (method === "ui/notifications/tool-cancelled" && !hasResult) {
    receive({ failed: true, text: "The call was cancelled." });
  }
}

function receive({ failed, text, values }) {
  const asked = given ?? {};
  $("state").textContent = "";
  if (failed) {
    setQuestion({ filter: "" });
    say($("trouble"), text);
  } else if (values?.tasks && "total" in values) {
    setQuestion(questionOf(values, asked));
    take(values);
    // A later page is no list by itself, and a conversation may be opened again after days.
    if (asked.cursor || Date.now() - Date.parse(values.now) > STALE_MS) refresh();
  } else if (values?.tasks || can.call) {
    // An overview shows the first of what is due, and some hosts keep the values to themselves: ask for the list.
    if (asked.refs?.length) setQuestion({ refs: asked.refs });
    else if ("filter" in asked) setQuestion({ filter: asked.filter });
    else if (asked.show === "week") setQuestion({ filter: 'due:<="in 7 days"' }, "Next 7 days");
    else setQuestion({ filter: CHIPS[0][1] });
    if (values?.tasks) take({ ...values, total: values.tasks.length });
    refresh();
  } else {
    $("state").className = "plain";
    $("state").textContent = text;
  }
}

function questionOf({ tasks, filter = "", sort }, asked) {
  if (sort === "as named") return { refs: tasks.map(({ ref }) => ref) };
  return { filter: asked.filter ?? filter.replace(/^is:open ?/, ""), sort };
}

// ---- the list ----

function setQuestion(next, label = next.filter) {
  question = next;
  if ("filter" in next && !CHIPS.some(([, filter]) => filter === next.filter)) chip = [label, next.filter];
  const chips = [...(chip ? [chip] : []), ...CHIPS];
  $("chips").replaceChildren(...chips.map(([name, filter]) => {
    const button = made("button", "choice", said(name));
    button.type = "button";
    button.dataset.filter = filter;
    button.setAttribute("aria-pressed", String(filter === next.filter));
    return button;
  }));
}

/** Asks for the list again, as long as it is now; the last who asks is the one who is heard. */
async function refresh(shown = page.tasks.length) {
  if (!can.call) return settled();
  const asking = ++turn;
  const limit = Math.min(MOST, Math.max(PAGE, shown));
  list.setAttribute("aria-busy", "true");
  try {
    const [found] = await Promise.all([
      host.call("tasks_find", question.refs ? { refs: question.refs } : { ...question, limit }),
      opened && readOpened(),
    ]);
    if (asking !== turn) return;
    say($("trouble"), faultOf(found));
    if (!faultOf(found)) take(found.values);
  } catch (error) {
    if (asking === turn) say($("trouble"), error.message);
  }
  if (asking === turn) settled();
}

async function showMore() {
  const asking = ++turn;
  list.setAttribute("aria-busy", "true");
  try {
    const found = await host.call("tasks_find", { ...question, limit: PAGE, cursor: page.cursor });
    if (asking !== turn) return;
    say($("trouble"), faultOf(found));
    if (!faultOf(found)) {
      const there = new Set(page.tasks.map(({ ref }) => ref));
      const further = found.values.tasks.filter(({ ref }) => !there.has(ref));
      take({ ...found.values, tasks: [...page.tasks, ...further] });
      rows.get(further[0]?.ref)?.querySelector(".tick input").focus();
    }
  } catch (error) {
    if (asking === turn) say($("trouble"), error.message);
  }
  if (asking === turn) settled();
}

function faultOf({ failed, text, values }) {
  if (failed) return text;
  return values?.tasks ? "" : "This client keeps to itself what the list is made of.";
}

function take(values) {
  page = { tasks: values.tasks, total: values.total, cursor: values.cursor ?? "" };
  askedAt = Date.now();
  if (values.now) today = values.now.slice(0, 10);
  drawAll();
  settled();
}

function settled() {
  list.removeAttribute("aria-busy");
  if (!askedAt) return;
  $("state").textContent = page.tasks.length ? "" : "Nothing here.";
}

function drawAll() {
  const focused = document.activeElement;
  const position = [...list.querySelectorAll(".row")].indexOf(focused?.closest(".row"));
  const wanted = new Set(page.tasks.map(({ ref }) => ref));
  for (const [ref, row] of rows) {
    if (wanted.has(ref)) continue;
    if (ref === opened) close();
    row.remove();
    rows.delete(ref);
  }
  let previous = null;
  for (const task of page.tasks) {
    const row = rowOf(task);
    draw(row, task, taskOf(task.parent)?.title, { canChange: can.call, canOpen: can.call || hasMore(task) });
    if (rowAfter(previous) !== row) {
      if (previous) previous.after(row);
      else list.prepend(row);
    }
    previous = row;
  }
  const { tasks, total, cursor } = page;
  $("count").textContent = tasks.length < total ? `${tasks.length} of ${total.toLocaleString(locale)}` : `${total}`;
  $("count").hidden = !askedAt;
  $("more").hidden = !cursor || !can.call;
  $("more").textContent = `Show ${Math.min(PAGE, total - tasks.length)} more`;
  for (const id of ["chips", "add", "refresh"]) $(id).hidden = !can.call;
  $("foot").hidden = can.call || !askedAt;
  if (focused && focused !== document.activeElement) {
    const next = page.tasks[Math.min(Math.max(position, 0), page.tasks.length - 1)];
    const there = focused.isConnected ? focused : next ? rows.get(next.ref).querySelector(".tick input") : $("title");
    there.focus({ preventScroll: true });
  }
}

function rowOf({ ref }) {
  let row = rows.get(ref);
  if (!row) {
    row = copyOf("row");
    row.dataset.ref = ref;
    rows.set(ref, row);
  }
  return row;
}

function rowAfter(previous) {
  const next = previous ? previous.nextElementSibling : list.firstElementChild;
  return next === notice ? next.nextElementSibling : next;
}

// ---- one task in full ----

const hasMore = ({ notes, subtasks, comments, created }) => Boolean(notes || subtasks || comments || created);
const taskOf = (ref) => page.tasks.find((task) => task.ref === ref);

async function open(row) {
  const { ref } = row.dataset;
  const wasOpen = opened === ref;
  close();
  if (wasOpen) return;
  opened = ref;
  row.querySelector(".open").setAttribute("aria-expanded", "true");
  drawPanel(panel, taskOf(ref), can.call);
  row.append(panel);
  if (!can.call) return;
  try {
    await readOpened();
  } catch (error) {
    if (opened === ref) say(row, error.message);
  }
}

function close() {
  rows.get(opened)?.querySelector(".open").setAttribute("aria-expanded", "false");
  panel.querySelector("input").value = "";
  panel.remove();
  opened = "";
}

async function readOpened() {
  const ref = opened;
  const found = await host.call("tasks_find", { refs: [ref] });
  if (opened !== ref) return;
  say(rows.get(ref), faultOf(found));
  if (!faultOf(found)) drawPanel(panel, found.values.tasks[0], can.call);
}
