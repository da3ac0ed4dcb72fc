// Owns questions to the person: a form for as long as they wait, and afterwards what was answered.

import { button, element, flag, newId, said } from "./elements.js";
import { WORDS } from "./words.js";

const MOST_CHARACTERS = 2000;

/** `submit(item, input)` sends the answers, and returns why they were refused. */
export function drawQuestions(node, item, submit) {
  if (item.status !== "pending") node.replaceChildren(answered(item));
  else if (!node.firstChild) node.append(asking(item, submit)); // drawn again, it would lose what was typed
}

export const questionsOf = (item) => item.inputs.map(({ question }) => question).join(" ");

function answered({ inputs }) {
  const pairs = inputs.map(({ question, answer }) => {
    const values = answer?.values ?? [];
    const reply = values.length ? said("dd", "", values.join(", ")) : element("dd", "quieter", WORDS.skipped);
    return element("div", "", said("dt", "question", question), reply);
  });
  return element("dl", "card stack", ...pairs);
}

function asking(item, submit) {
  const questions = item.inputs.map((input) => ({ id: input.id, ...(input.type === "multiple_choice" ? choices : freeform)(input) }));
  const failure = element("p", "failure");
  failure.setAttribute("role", "alert");
  const send = element("button", "primary", WORDS.answer);
  const skip = button("secondary", WORDS.skipQuestions, () => deliver("skipped"));
  const buttons = element("div", "row", send, skip);
  const node = element("form", "card stack", ...questions.map((one) => one.node), failure, buttons);
  let isSending = false;

  const deliver = async (status) => {
    if (isSending) return;
    const answers = questions.map(({ id, read }) => [id, status === "skipped" ? [] : read()]);
    const isEmpty = answers.every(([, values]) => values.length === 0);
    failure.textContent = status === "answered" && isEmpty ? WORDS.nothingAnswered : "";
    if (failure.textContent) return;
    mark(true);
    const given = answers.map(([id, values]) => [id, { values, skipped: values.length === 0 }]);
    const refusal = await submit(item, { status, answers: Object.fromEntries(given) });
    mark(false);
    if (refusal) failure.textContent = [refusal.message, refusal.hint].filter(Boolean).join(" ");
  };
  const mark = (isSo) => {
    isSending = isSo;
    for (const one of [send, skip]) flag(one, "aria-disabled", isSo);
  };
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    deliver("answered");
  });
  return node;
}

function freeform({ question, description }) {
  const input = textInput();
  const label = said("label", "question", question);
  label.htmlFor = input.id = newId();
  const node = element("div", "stack", label);
  if (description) {
    const about = said("p", "text quieter", description);
    about.id = newId();
    input.setAttribute("aria-describedby", about.id);
    node.append(about);
  }
  node.append(input);
  return { node, read: () => [input.value.trim()].filter(Boolean) };
}

/** The choices, and always a place for another answer. */
function choices({ question, options = [], multiple = false }) {
  const group = newId();
  const choice = (label) => {
    const mark = element("input");
    mark.type = multiple ? "checkbox" : "radio";
    mark.name = group;
    return { mark, node: element("label", "choice", mark, said("span", "", label)) };
  };
  const known = options.map(({ value }) => ({ value, ...choice(value) }));
  const other = choice(WORDS.other);
  const text = textInput();
  text.setAttribute("aria-label", WORDS.otherAnswer);
  text.addEventListener("input", () => (other.mark.checked = text.value !== ""));
  const legend = said("legend", "question", question);
  const node = element("fieldset", "", legend, ...known.map((one) => one.node), element("div", "row", other.node, text));
  const read = () => {
    const values = known.filter(({ mark }) => mark.checked).map(({ value }) => value);
    return other.mark.checked && text.value.trim() ? [...values, text.value.trim()] : values;
  };
  return { node, read };
}

function textInput() {
  const node = element("input");
  Object.assign(node, { type: "text", maxLength: MOST_CHARACTERS, autocomplete: "off", dir: "auto" });
  return node;
}
