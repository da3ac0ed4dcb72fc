// Starts the page and connects its parts: the session, the list of conversations, the composer and the thread.

import * as api from "./api.js";
import { button, element, flag, said } from "./elements.js";
import { paint } from "./markdown.js";
import { Thread } from "./thread.js";
import { Card } from "./widgets.js";
import { WORDS } from "./words.js";

const RECOVERY_S = [1, 2, 4, 8, 15, 30];
const TOKEN_MARK = "#token=";
const DRAFT = "taskgate.draft";
const LOOK_AGAIN_MS = 2_000;
const AGAIN = "threads.retry_after_item";
const RETRY = { label: WORDS.retry, press: retry };

const ui = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));
const wide = matchMedia("(min-width: 900px)");
const thread = new Thread({
  scroller: ui.scroller,
  list: ui.items,
  tail: ui.tail,
  below: ui.below,
  announce,
  hands: { press, submit, openTask: (ref) => act("open_task", { ref }) },
});
const rows = new Map(); // thread id -> its link in the list
let me = null;
let current = { id: null }; // the conversation on screen: one object each, so that a late reply sees it has been left
let turn = null; // the answer being written

label();
wire();
await enter();

function label() {
  ui.message.placeholder = WORDS.placeholder;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = WORDS[node.dataset.word];
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", WORDS[node.dataset.label]);
    if (node.matches("button")) node.title = WORDS[node.dataset.label];
  }
  paint(ui["sign-in-how"], WORDS.howToSignIn);
  ui.prompts.append(...WORDS.prompts.map((text) => button("secondary", text, () => send(text))));
}

function wire() {
  ui.composer.addEventListener("submit", (event) => {
    event.preventDefault();
    if (turn) stop();
    else send(ui.message.value);
  });
  ui.send.addEventListener("click", (event) => {
    if (event.detail > 1) event.preventDefault(); // the second half of a double click on Send would be a Stop
  });
  ui.message.addEventListener("input", fitMessage);
  ui.message.addEventListener("keydown", (event) => {
    const isComposing = event.isComposing || event.keyCode === 229; // Safari ends the composition first
    if (event.key !== "Enter" || event.shiftKey || isComposing) return;
    event.preventDefault();
    if (!turn) send(ui.message.value);
    else if (ui.message.value.trim()) note({ message: WORDS.stillAnswering });
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || ui.task.open) return;
    if (isSideOpen()) showSide(false);
    else stop();
  });
  for (const node of [ui.new, ui["new-narrow"]]) node.addEventListener("click", () => goTo(null));
  for (const node of [ui["close-side"], ui.scrim]) node.addEventListener("click", () => showSide(false));
  wide.addEventListener("change", () => showSide(false));
  ui["open-side"].addEventListener("click", () => showSide(true));
  ui.more.addEventListener("click", () => loadHistory(ui.more.dataset.after));
  ui["sign-out"].addEventListener("click", signOut);
  ui["close-task"].addEventListener("click", () => ui.task.close());
  ui.login.addEventListener("click", keepDraft);
  addEventListener("popstate", () => {
    if (idInAddress() !== current.id) open(idInAddress());
  });
  addEventListener("hashchange", () => {
    if (location.hash.startsWith(TOKEN_MARK)) enter(); // a printed address, opened in this very tab
  });
  addEventListener("focus", () => {
    if (!ui["sign-in"].hidden) enter(); // perhaps signed in from another tab
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // the browser kept a page of somebody who may have signed out since
  });
}

// --- Session -----------------------------------------------------------------------------------------------------

async function enter() {
  let why = "";
  try {
    await exchangeToken().catch((error) => {
      if (!(error instanceof api.Refused)) throw error;
      why = error.message; // an address that was used up is no harm to somebody who is signed in
    });
    const person = await api.whoAmI();
    if (me && me.subject !== person.subject) return location.reload(); // nothing of one person stays for another
    me = person;
    ui.subject.textContent = me.name;
    ui.model.textContent = me.model ?? "";
    ui["sign-in"].hidden = true;
    document.body.dataset.session = "active";
    takeDraft();
    if (!thread.isEmpty || turn) return;
    loadHistory();
    await open(idInAddress());
  } catch (error) {
    if (error.status === 401) askToSignIn(error.login, why);
    else report(error, enter);
  }
}

/** The token of a printed address is used once and then is nowhere: in no address, no variable, no storage. */
async function exchangeToken() {
  if (!location.hash.startsWith(TOKEN_MARK)) return;
  const token = location.hash.slice(TOKEN_MARK.length);
  history.replaceState(null, "", location.pathname + location.search);
  if (/^[\w.~+/=-]+$/.test(token)) await api.signIn(token);
}

function askToSignIn(login, why = "") {
  ui["sign-in-title"].textContent = me ? WORDS.signInEnded : WORDS.notSignedIn;
  ui["sign-in-why"].textContent = why;
  ui["sign-in-why"].hidden = !why;
  const url = login && new URL(login, location.origin);
  ui.login.hidden = url?.origin !== location.origin;
  ui["sign-in-how"].hidden = !ui.login.hidden;
  if (!ui.login.hidden) {
    url.searchParams.set("return_to", location.pathname + location.search);
    ui.login.href = url.href;
  }
  document.body.dataset.session = me ? "ended" : "none";
  if (!ui["sign-in"].hidden) return;
  ui["sign-in"].hidden = false;
  ui["sign-in"].focus();
}

/** Where there is more to end, at the issuer, the browser goes there and is sent back. */
async function signOut() {
  try {
    const { end_session: elsewhere } = await api.signOut();
    location.replace(elsewhere || "/");
  } catch (error) {
    report(error, signOut);
  }
}

/** Signing in leaves the page: the text waits in this tab, for the same person only, and is taken back once. */
function keepDraft() {
  const text = ui.message.value;
  if (me && text) sessionStorage.setItem(DRAFT, JSON.stringify({ subject: me.subject, text }));
}

function takeDraft() {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT));
  sessionStorage.removeItem(DRAFT);
  if (draft?.subject === me.subject && !ui.message.value) setMessage(draft.text);
}

// --- One answer --------------------------------------------------------------------------------------------------

function send(text) {
  if (!text.trim() || turn || current.isClosed) return;
  const input = { content: [{ type: "input_text", text }], attachments: [], inference_options: {} };
  if (current.id) answer("threads.add_user_message", { input, thread_id: current.id }, text);
  else answer("threads.create", { input }, text);
}

function retry() {
  const id = thread.userMessageIds.at(-1);
  if (id && !turn) answer(AGAIN, { thread_id: current.id, item_id: id });
}

function stop() {
  turn?.controller.abort();
}

/** Shows an answer as it comes. Returns why there is none to what was pressed on a card. */
async function answer(type, params, text = "") {
  const place = current;
  const known = new Set(thread.userMessageIds);
  const own = { controller: new AbortController(), text, isAccepted: !text, isStarted: false };
  setTurn(own);
  if (!document.activeElement?.closest(".composer")) focusMessage(); // the button that started this is about to go
  thread.begin();
  announce(WORDS.answering);
  const failure = await read({ type, params, metadata: context() }, own).catch((error) => error);
  if (turn !== own) return null; // the person has gone to another conversation
  if (failure instanceof TypeError) console.error(failure); // our mistake, not the network's
  const isStopped = own.controller.signal.aborted;
  const isRefused = failure instanceof api.Refused;
  const isAboutCard = Boolean(params.item_id) && type !== AGAIN;
  own.controller.abort(); // a connection that fell silent is still open
  setTurn(null);
  const written = thread.end();
  if (!own.isAccepted && !ui.message.value) setMessage(text);
  if (!failure) announce(written);
  else if (isStopped) announce(WORDS.stopped);
  else if (isRefused && isAboutCard) announce("");
  else if (isRefused || !own.isStarted) report(failure);
  else thread.box("error", { message: WORDS.lost, action: own.isAccepted && RETRY });
  if (isRefused && failure.code === "busy" && place.id) watch(place);
  if (isRefused && !isAboutCard) return null; // nothing was stored
  await compare(place, failure && !isStopped && !isRefused ? RECOVERY_S : []);
  if (current === place && thread.userMessageIds.some((id) => !known.has(id))) accept(own);
  return isRefused ? reasonOf(failure) : null;
}

async function read(request, own) {
  for await (const event of api.stream(request, own.controller.signal)) {
    if (turn !== own) return;
    if (!own.isStarted) {
      own.isStarted = true;
      thread.clearBoxes();
      if (request.type === AGAIN) thread.removeAfter(request.params.item_id);
    }
    if (event.item?.type === "user_message") accept(own);
    if (event.thread) describe(event.thread);
    else if (event.type === "client_effect") tell(event.name, event.data);
    else if (event.type !== "error") thread.apply(event);
    else {
      const action = event.allow_retry && own.isAccepted && RETRY;
      thread.box("error", { message: event.message || WORDS.failed, action });
    }
  }
}

/** The thread holds the message now: only then does the composer let go of it. */
function accept(own) {
  if (!own.isAccepted && ui.message.value === own.text) setMessage("");
  own.isAccepted = true;
}

/** Shows what the store has: it is the truth, whatever the stream said. Quiet, and patient if the server is away. */
async function compare(place, delaysS) {
  const isCurrent = () => place.id && current === place && !turn;
  for (const seconds of [0, ...delaysS]) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    if (!isCurrent()) return;
    try {
      const stored = await api.loadThread(place.id);
      if (!isCurrent()) return;
      describe(stored.thread);
      thread.show(stored.items, { keepOpen: true });
      offerAnswer(place);
      return;
    } catch (error) {
      if (error.status === 401) askToSignIn(error.login);
      if (error.status < 500) return;
    }
  }
}

/** A question without an answer is being answered in another window, or can be asked again. */
async function offerAnswer(place) {
  if (!thread.isUnanswered || current.isClosed || ui.tail.hasChildNodes() || (await watch(place))) return;
  if (current === place && !turn && thread.isUnanswered && !ui.tail.hasChildNodes()) {
    thread.box("quiet", { message: WORDS.unanswered, action: RETRY });
  }
}

/** Waits for the end of an answer that another window has asked for. Whether there was one. */
async function watch(place) {
  if (place.isWatched) return true;
  place.isWatched = true;
  const wasAnswered = await untilAnswered(place);
  place.isWatched = false;
  if (!wasAnswered || current !== place || turn) return wasAnswered;
  clearNote();
  thread.clearBoxes();
  await compare(place, []);
  return true;
}

async function untilAnswered(place) {
  for (let looks = 0; ; looks += 1) {
    const { running } = await api.beingAnswered(place.id).catch(() => ({ running: false }));
    if (current !== place || turn) return true;
    if (!running) return looks > 0;
    if (looks === 1) { // at first it may be our own, just stopped
      const action = { label: WORDS.stopThere, press: () => api.stopAnswer(place.id).catch(report) };
      thread.box("quiet", { message: WORDS.elsewhere, action });
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

function setTurn(next) {
  turn = next;
  clearNote();
  reflect();
}

/** What the model may know about where the person is. */
function context() {
  return {
    page: { url: location.origin + location.pathname, title: document.title },
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
}

// --- Cards and questions -----------------------------------------------------------------------------------------

/** Does what a control of a card asks for. Returns why not, if it was refused. */
async function press(item, { type, payload, handler, streaming }) {
  if (handler === "client") return act(type, payload);
  const place = current;
  const params = { thread_id: place.id, item_id: item.id, action: { type, payload } };
  if (streaming) return turn ? { message: WORDS.stillAnswering } : answer("threads.custom_action", params);
  try {
    const { updated_item: updated } = await api.press(params);
    if (current === place && updated) thread.apply({ type: "thread.item.replaced", item: updated });
    tell("tasks.changed", {});
    return null;
  } catch (error) {
    await compare(place, []);
    return reasonOf(error);
  }
}

async function submit(item, input) {
  if (turn) return { message: WORDS.stillAnswering };
  return answer("threads.add_structured_input", { thread_id: current.id, item_id: item.id, input });
}

/** What the page does itself, unless somebody who listens does it in another way. */
async function act(type, payload) {
  if (tell(type, payload) && type === "open_task") await openTask(payload.ref);
  return null;
}

/** Whoever extends the page hears of it, and may prevent what the page would do. */
function tell(name, detail) {
  return dispatchEvent(new CustomEvent(`taskgate:${name}`, { detail, cancelable: true }));
}

async function openTask(ref) {
  try {
    const { preview } = await api.preview(ref);
    new Card(ui["task-card"], press).draw({ widget: preview, copy_text: ref });
    ui.task.showModal();
  } catch (error) {
    report(error);
  }
}

/** Why something was refused, in words. */
function reasonOf(error) {
  if (error.status === 401) askToSignIn(error.login);
  if (error instanceof api.Refused) return { message: error.message || WORDS.failed, hint: error.hint };
  if (error instanceof api.Lost) return { message: WORDS.unreachable, hint: WORDS.unreachableHint };
  throw error;
}

// --- Conversations -----------------------------------------------------------------------------------------------

function idInAddress() {
  return new URLSearchParams(location.search).get("thread");
}

function addressOf(id) {
  return id ? `/?thread=${encodeURIComponent(id)}` : "/";
}

function goTo(id) {
  showSide(false);
  if (id !== idInAddress()) history.pushState(null, "", addressOf(id));
  if (id !== current.id) open(id);
  else focusMessage();
}

async function open(id) {
  stop(); // leaving an answer is stopping it
  const place = (current = { id });
  setTurn(null);
  thread.end();
  thread.clear();
  focusMessage();
  if (!id) return;
  try {
    const stored = await api.loadThread(id);
    if (current !== place || turn) return;
    describe(stored.thread);
    thread.show(stored.items);
    thread.follow();
    offerAnswer(place);
  } catch (error) {
    if (current !== place) return;
    if (error.status !== 404 && error.status !== 400) return report(error, () => open(id));
    history.replaceState(null, "", addressOf(null));
    open(null);
    note({ message: WORDS.unknownThread });
  }
}

/** Takes over what the server says about a conversation: its place in the list, its title, whether it is open. */
function describe(meta) {
  const isNew = !current.id;
  if (isNew) {
    current.id = meta.id;
    history.replaceState(null, "", addressOf(meta.id));
  }
  if (isNew || rows.has(meta.id)) list(meta, { isNew }); // an old one comes with its page of the list
  if (meta.id !== current.id) return;
  const { type, reason } = meta.status ?? {};
  current.title = meta.title;
  current.isClosed = type === "locked" || type === "closed";
  current.whyClosed = reason ?? WORDS.closedThread;
  reflect();
}

async function loadHistory(after) {
  try {
    const page = await api.listThreads(after);
    for (const meta of page.data) list(meta);
    ui.more.hidden = !(page.has_more && page.after);
    ui.more.dataset.after = page.after ?? "";
    reflect();
  } catch (error) {
    report(error, () => loadHistory(after));
  }
}

function list(meta, { isNew = false } = {}) {
  let row = rows.get(meta.id);
  if (!row) {
    row = element("a", "", element("span", "", element("bdi")), element("time", "", dateOf(meta.created_at)));
    row.href = addressOf(meta.id);
    row.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
      event.preventDefault();
      goTo(meta.id);
    });
    rows.set(meta.id, row);
    ui.threads[isNew ? "prepend" : "append"](element("li", "", row));
  }
  row.firstChild.firstChild.textContent = meta.title || WORDS.untitled;
}

function dateOf(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return "";
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString([], isToday ? { timeStyle: "short" } : { day: "numeric", month: "short" });
}

// --- What is on screen -------------------------------------------------------------------------------------------

function reflect() {
  const title = current.title || (current.id ? WORDS.untitled : WORDS.newChat);
  ui.title.textContent = title;
  document.title = `${title} · ${WORDS.product}`;
  for (const [id, row] of rows) flag(row, "aria-current", id === current.id && "page");
  ui["no-threads"].hidden = rows.size > 0;
  ui.start.hidden = Boolean(current.id || turn);
  document.body.classList.toggle("answering", turn !== null);
  ui.send.setAttribute("aria-label", turn ? WORDS.stop : WORDS.send);
  ui.send.title = turn ? WORDS.stop : WORDS.send;
  ui.message.disabled = Boolean(current.isClosed);
  ui.composer.hidden = Boolean(current.isClosed && !turn);
  ui.closed.hidden = !current.isClosed;
  ui.closed.textContent = current.isClosed ? current.whyClosed : "";
}

function report(error, again) {
  const againHere = () => {
    clearNote();
    focusMessage();
    again();
  };
  if (error.status === 401) return askToSignIn(error.login);
  note({ ...reasonOf(error), requestId: error.requestId, action: again && { label: WORDS.retry, press: againHere } });
}

function note({ message, hint, requestId, action }) {
  ui.note.replaceChildren(said("strong", "", message));
  if (hint) ui.note.append(said("span", "", hint));
  if (requestId) ui.note.append(element("small", "", WORDS.reference(requestId)));
  if (action) ui.note.append(button("secondary", action.label, action.press));
  ui.note.hidden = false;
}

function clearNote() {
  ui.note.hidden = true;
  ui.note.replaceChildren();
}

function announce(text) {
  ui.live.replaceChildren(element("p", "", text));
}

function setMessage(text) {
  ui.message.value = text;
  fitMessage();
}

function fitMessage() {
  ui.message.style.height = "auto";
  ui.message.style.height = `${ui.message.scrollHeight}px`;
}

/** Where to go on writing or reading: on a phone, focus in the message box would raise the keyboard. */
function focusMessage() {
  if (matchMedia("(pointer: fine)").matches) ui.message.focus();
  else if (document.activeElement !== document.body) ui.scroller.focus({ preventScroll: true });
}

function isSideOpen() {
  return document.body.classList.contains("side-open");
}

function showSide(isOpen) {
  if (isOpen === isSideOpen()) return;
  document.body.classList.toggle("side-open", isOpen);
  ui.main.inert = isOpen;
  ui["open-side"].setAttribute("aria-expanded", String(isOpen));
  ui[isOpen ? "close-side" : "open-side"].focus();
}
