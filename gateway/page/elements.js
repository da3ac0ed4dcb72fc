// Owns the smallest parts of the page: elements made of text, buttons, and links that lead nowhere dangerous.

import { WORDS } from "./words.js";

export function element(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Somebody's words, which run in their own direction. */
export function said(tag, className, text) {
  const node = element(tag, className, String(text ?? ""));
  node.dir = "auto";
  return node;
}

/** An attribute for as long as there is something to say with it. */
export function flag(node, name, value) {
  if (value) node.setAttribute(name, value);
  else node.removeAttribute(name);
}

export function button(className, text, press) {
  const node = element("button", className, text);
  node.type = "button";
  node.addEventListener("click", press);
  return node;
}

export function copyButton(text) {
  const node = button("copy", WORDS.copy, async () => {
    const copied = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
    node.textContent = copied ? WORDS.copied : WORDS.notCopied;
    setTimeout(() => (node.textContent = WORDS.copy), 2000);
  });
  return node;
}

/** A link that says where it leads, or only its label when the address is none that a person may follow from here. */
export function link(label, address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return label;
  }
  if (!["http:", "https:", "mailto:"].includes(url.protocol)) return label;
  const goal = url.protocol === "mailto:" ? url.pathname : url.host;
  const node = element("a", "", label || goal);
  const words = node.textContent.replace(/^(https?:\/\/|mailto:)/, "");
  if (words !== goal && !["/", "?", "#"].some((next) => words.startsWith(goal + next))) {
    node.append(" ", element("span", "goal", `(${goal})`));
  }
  node.href = url.href;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

let ids = 0;

/** An id that nothing else on the page has. */
export const newId = () => `n${(ids += 1)}`;
