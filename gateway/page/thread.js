// Owns the conversation on screen: one element per item, changed by events, in a view that follows the newest text.

import { drawQuestions, questionsOf } from "./asking.js";
import { button, copyButton, element, link, said } from "./elements.js";
import { paint } from "./markdown.js";
import { Card, isOlder } from "./widgets.js";
import { WORDS } from "./words.js";

const NEAR_END_PX = 48;
const MOST_PARTS = 1000; // an index beyond this is no place in anything we show

export class Thread {
  #items = new Map(); // id -> {item, node, isOpen, card}; open = the server has not said that it is finished
  #changed = new Set();
  #frame = 0;
  #written = new Set(); // ids of what this answer says, shows and asks
  #progress = null;
  #isFollowing = true;

  /** `hands` are what the items of a conversation can ask for: `press`, `submit` and `openTask`. */
  constructor({ scroller, list, tail, below, announce, hands }) {
    Object.assign(this, { scroller, list, tail, below, announce, hands });
    scroller.addEventListener("scroll", () => {
      this.#isFollowing = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_END_PX;
      if (this.#isFollowing) below.hidden = true;
    });
    below.addEventListener("click", () => {
      this.follow();
      scroller.focus({ preventScroll: true });
    });
    new ResizeObserver(() => this.#isFollowing && this.follow()).observe(scroller);
  }

  get isEmpty() {
    return this.#items.size === 0;
  }

  get userMessageIds() {
    return this.#inOrder().filter(({ item }) => item.type === "user_message").map(({ item }) => item.id);
  }

  /** Whether nothing but steps follows the last question. */
  get isUnanswered() {
    const last = this.#inOrder().findLast(({ item }) => item.type !== "workflow" && item.type !== "task");
    return last?.item.type === "user_message";
  }

  /** Shows exactly these items. With `keepOpen`, text that was being written stays until the store has it too. */
  show(items, { keepOpen = false } = {}) {
    const wanted = new Set(items.map((item) => item.id));
    for (const [id, entry] of this.#items) if (!wanted.has(id) && !(keepOpen && entry.isOpen)) this.#remove(id);
    for (const item of items) this.#put(item, false);
    const nodes = items.map((item) => this.#items.get(item.id)?.node).filter(Boolean);
    nodes.forEach((node, index) => {
      const there = this.list.children[index];
      if (there !== node) this.list.insertBefore(node, there); // moving what is in place would cost it the focus
    });
    this.#draw();
  }

  clear() {
    this.show([]);
    this.clearBoxes();
    this.follow();
  }

  /** An answer is on its way. */
  begin() {
    for (const entry of this.#items.values()) entry.isOpen = false;
    this.#written.clear();
    const dots = element("span", "dots", element("i"), element("i"), element("i"));
    dots.setAttribute("aria-hidden", "true");
    this.#progress = element("p", "progress", dots, said("span", "", ""));
    for (const node of this.tail.querySelectorAll("button")) node.disabled = true; // until it is clear how it goes on
    this.tail.append(this.#progress);
    this.follow();
  }

  /** The answer is over, however it ended. Returns its text, to be read out. */
  end() {
    this.#progress?.remove();
    this.#progress = null;
    for (const entry of this.#items.values()) if (entry.isOpen) this.#changed.add(entry);
    this.#draw();
    for (const node of this.tail.querySelectorAll("button")) node.disabled = false;
    const entries = [...this.#written].map((id) => this.#items.get(id)).filter(Boolean);
    return entries.map((entry) => VIEWS.get(entry.item.type).spoken(entry)).join(" ").trim();
  }

  /** Applies one event of the stream. A kind that is not known is nothing to us, never a fault. */
  apply(event) {
    switch (event.type) {
      case "thread.item.added":
        return this.#put(event.item, true);
      case "thread.item.done":
      case "thread.item.replaced":
        return this.#put(event.item, false);
      case "thread.item.removed":
        return this.#remove(event.item_id);
      case "thread.item.updated":
        return this.#update(this.#items.get(event.item_id), event.update ?? {});
      case "progress_update":
        return this.#say(event.text);
      case "notice":
        return this.box(event.level, event);
    }
  }

  /** Puts a message under the last item; it stays until the next answer begins to arrive. */
  box(kind, { title = "", message = "", action = null }) {
    const isError = kind === "error";
    const text = element("div", "prose");
    text.dir = "auto";
    if (isError) text.append(message);
    else paint(text, message);
    const node = element("div", `box ${["error", "danger", "warning", "quiet"].includes(kind) ? kind : "info"}`);
    if (isError) node.setAttribute("role", "alert");
    if (title) node.append(element("strong", "", title));
    node.append(text);
    if (!isError && kind !== "quiet") this.announce(node.textContent);
    if (action) node.append(button("secondary", action.label, action.press));
    this.tail.insertBefore(node, this.#progress);
    this.#grew();
  }

  clearBoxes() {
    for (const node of this.tail.querySelectorAll(".box")) node.remove();
  }

  removeAfter(id) {
    const entries = this.#inOrder();
    const at = entries.findIndex(({ item }) => item.id === id);
    for (const { item } of entries.slice(at + 1)) this.#remove(item.id);
  }

  follow() {
    this.#isFollowing = true;
    this.#grew();
  }

  #inOrder() {
    return [...this.list.children].map((node) => this.#items.get(node.dataset.id));
  }

  #put(item, isOpen) {
    const view = VIEWS.get(item?.type);
    if (!view) return;
    let entry = this.#items.get(item.id);
    if (!entry) {
      const node = element("article", `item ${view.className}`);
      node.dataset.id = item.id;
      node.setAttribute("aria-label", WORDS[view.label]);
      this.list.append(node);
      entry = { node };
      this.#items.set(item.id, entry);
    } else if (!entry.isOpen && JSON.stringify(entry.item) === JSON.stringify(item)) {
      return; // drawing it again would only cost the reader's selection
    } else if (item.type === "widget" && isOlder(item, entry.item)) {
      return; // of a button pressed in between
    }
    Object.assign(entry, { item, isOpen });
    if (this.#progress && view.spoken) this.#written.add(item.id);
    if (this.#progress && !isOpen) this.#progress.hidden = false; // more may follow
    this.#drawSoon(entry);
  }

  #remove(id) {
    this.#items.get(id)?.node.remove();
    this.#items.delete(id);
  }

  #update(entry, update) {
    const index = update.content_index ?? update.task_index;
    if (!entry || !Number.isInteger(index) || index < 0 || index > MOST_PARTS) return;
    const { content, workflow } = entry.item;
    switch (`${entry.item.type} ${update.type}`) {
      case "assistant_message assistant_message.content_part.added":
      case "assistant_message assistant_message.content_part.done":
        content[index] = update.content;
        break;
      case "assistant_message assistant_message.content_part.text_delta":
        content[index] ??= { text: "", annotations: [] };
        content[index].text += update.delta;
        if (this.#progress) this.#progress.hidden = true; // the growing text says enough
        break;
      case "assistant_message assistant_message.content_part.annotation_added":
        (content[index].annotations ??= []).push(update.annotation);
        break;
      case "workflow workflow.task.added":
      case "workflow workflow.task.updated":
        workflow.tasks[index] = update.task;
        break;
      default:
        return;
    }
    this.#drawSoon(entry);
  }

  #say(text) {
    if (!this.#progress) return;
    this.#progress.lastChild.textContent = text;
    this.#progress.hidden = false;
    if (text) this.announce(text);
    this.#grew();
  }

  #drawSoon(entry) {
    this.#changed.add(entry);
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const entry of this.#changed) {
      const isWriting = entry.isOpen && this.#progress !== null;
      entry.node.classList.toggle("writing", isWriting);
      VIEWS.get(entry.item.type).draw(entry, this.hands, isWriting);
    }
    this.#changed.clear();
    this.#grew();
  }

  #grew() {
    const hiddenPx = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
    if (this.#isFollowing) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.below.hidden = this.#isFollowing || hiddenPx < NEAR_END_PX;
  }
}

const spokenAnswer = ({ node }) => node.firstChild?.innerText ?? "";
const spokenWidget = ({ item }) => item.copy_text?.split("\n", 1)[0] ?? "";
const spokenAsking = ({ item }) => (item.status === "pending" ? questionsOf(item) : "");

// The kinds of items that a person sees, and what of them is read out; every other kind is nothing.
const VIEWS = new Map([
  ["user_message", { className: "mine", label: "you", draw: drawUserMessage }],
  ["assistant_message", { className: "answer", label: "assistant", draw: drawAnswer, spoken: spokenAnswer }],
  ["widget", { className: "widget", label: "card", draw: drawWidget, spoken: spokenWidget }],
  ["structured_input", { className: "asking", label: "question", draw: drawAsking, spoken: spokenAsking }],
  ["workflow", { className: "steps", label: "steps", draw: drawSteps }],
  ["task", { className: "steps", label: "steps", draw: drawSteps }],
]);

function drawUserMessage({ node, item: { content = [], quoted_text: quote, attachments = [] } }) {
  const tag = (part) => element("span", "tag", `@${part.text}`);
  const parts = content.map((part) => (part.type === "input_tag" ? tag(part) : part.text));
  const text = element("div", "bubble", ...parts);
  if (quote) text.prepend(element("blockquote", "", quote));
  text.dir = "auto";
  node.replaceChildren(...(text.hasChildNodes() ? [text] : []));
  if (attachments.length) node.append(element("ul", "files", ...attachments.map(drawFile)));
}

function drawFile({ id, name }) {
  const node = said("a", "", name);
  node.href = `/attachments/${encodeURIComponent(id)}`;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return element("li", "", node);
}

function drawAnswer({ node, item: { content = [] } }, { openTask }, isWriting) {
  const parts = content.filter(Boolean);
  const text = parts.map((part) => part.text).join("\n\n");
  if (!node.firstChild) node.append(element("div", "prose"), element("ul", "sources"), element("div", "foot"));
  const [body, sources, foot] = node.children;
  paint(body, text);
  node.hidden = text === "";
  const notes = parts.flatMap((part) => part.annotations ?? []);
  sources.replaceChildren(...notes.map(({ source }) => drawSource(source ?? {}, openTask)));
  if (!isWriting && !foot.firstChild) foot.append(copyButton(() => body.dataset.source));
  body.dataset.source = isWriting ? "" : text;
}

function drawSource({ type, id, title, filename, url, interactive }, openTask) {
  const label = title || filename || "";
  const node = element("li");
  node.dir = "auto";
  if (type !== "entity") node.append(type === "url" ? link(label, url) : label);
  else if (interactive) node.append(button("source", `${id} ${label}`, () => openTask(id)));
  else node.append(`${id} ${label}`);
  return node;
}

function drawWidget(entry, { press }) {
  entry.card ??= new Card(entry.node, press);
  entry.card.draw(entry.item);
}

function drawAsking({ node, item }, { submit }) {
  drawQuestions(node, item, submit);
}

function drawSteps({ node, item }, _, isWriting) {
  const { tasks, summary, expanded = false } = item.workflow ?? { tasks: [item.task] };
  const steps = tasks.filter(Boolean);
  const details = node.firstChild ?? element("details", "", element("summary"), element("ol"));
  if (!node.firstChild) details.open = expanded; // afterwards it is the reader's
  node.replaceChildren(details);
  node.hidden = steps.length === 0;
  const [head, list] = details.children;
  const current = isWriting && steps.findLast((step) => step.status_indicator === "loading");
  head.replaceChildren(said("span", "", current ? titleOf(current) : summaryOf(summary, steps)));
  list.replaceChildren(...steps.map((step) => drawStep(step, isWriting)));
}

function drawStep(step, isWriting) {
  const isLeft = step.status_indicator === "loading" && !isWriting;
  const state = isLeft ? "unfinished" : step.status_indicator ?? "none";
  const text = said("div", "", titleOf(step));
  if (WORDS.stepStates[state]) text.append(element("span", "unseen", ` (${WORDS.stepStates[state]})`));
  if (step.content) {
    const content = element("div", "prose");
    paint(content, step.content);
    text.append(content);
  }
  return element("li", state, text);
}

const titleOf = (step) => step.title || step.title_query || WORDS.step;

function summaryOf(summary, steps) {
  if (summary?.title) return summary.title;
  return summary?.duration ? WORDS.thoughtFor(summary.duration) : WORDS.stepCount(steps.length);
}
