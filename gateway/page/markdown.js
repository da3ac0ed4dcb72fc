// Owns how markdown becomes elements. All of it ends as text: HTML is never read, and an image is a link, because
// fetching one would carry whatever its address says out of the page.

import { copyButton, element, link } from "./elements.js";

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
const HEADING = /^ {0,3}(#{1,6}) +(.+)$/;
const RULE = /^ {0,3}([-*_])(?: *\1){2,} *$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
const DEEPEST = 4;

// Every repetition has an end, so that ten thousand brackets or stars cannot stall the page.
const INLINE = new RegExp(
  [
    /\\(?<escaped>[!-\/:-@\[-`{-~])/,
    /(?<!`)(?<ticks>`{1,3})(?!`)(?<code>[^]{1,1000}?)(?<!`)\k<ticks>(?!`)/,
    /!?\[(?<label>[^\]\n]{0,500})\]\((?<href>(?:[^\s()]|\([^\s()]*\)){1,2000})(?: "[^"\n]{0,200}")?\)/,
    /(?<![\p{L}\p{N}])(?<bare>https?:\/\/[^\s<>"`]{0,2000}[^\s<>"`.,;:!?'()[\]*_|])/,
    /(?<star>\*{1,3})(?![\s*])(?<starred>[^]{1,500}?)(?<![\s*])\k<star>(?!\*)/,
    /(?<![\p{L}\p{N}_])(?<line>_{1,3})(?![\s_])(?<lined>[^]{1,500}?)(?<![\s_])\k<line>(?![\p{L}\p{N}_])/,
  ]
    .map((part) => part.source)
    .join("|"),
  "gu",
);

const painted = new WeakMap(); // container -> its blocks, so that growing text rebuilds only what changed

/** Shows `source` in `container`; blocks that are already there and did not change stay untouched. */
export function paint(container, source) {
  const before = painted.get(container) ?? [];
  const after = split(source.replace(/\r\n?/g, "\n").split("\n"));
  let same = 0;
  while (same < before.length && same < after.length && before[same].source === after[same].source) same += 1;
  for (const block of before.slice(same)) block.node.remove();
  after.forEach((block, index) => {
    block.node = index < same ? before[index].node : build(block, 0);
    if (index < same) return;
    block.node.dir ||= "auto";
    container.append(block.node);
  });
  painted.set(container, after);
}

function split(raw) {
  const lines = raw.map((line) => line.replace(/^\t+/, (tabs) => "    ".repeat(tabs.length)));
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const kind = kindOf(lines, at);
    const end = (ENDS[kind] ?? nextLine)(lines, at);
    const own = lines.slice(at, end);
    blocks.push({ kind, lines: own, source: `${kind}\n${own.join("\n")}` });
    at = end;
  }
  return blocks;
}

function kindOf(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return "code";
  if (HEADING.test(line)) return "heading";
  if (RULE.test(line)) return "rule";
  if (QUOTE.test(line)) return "quote";
  if (ITEM.test(line)) return "list";
  const next = lines[at + 1] ?? "";
  if (line.includes("|") && /^[ |:-]+$/.test(next) && next.includes("-") && next.includes("|")) return "table";
  return "text";
}

const nextLine = (_, at) => at + 1;
const isNumbered = (marker) => /\d/.test(marker);

const ENDS = {
  code: (lines, at) => {
    const close = closing(lines[at]);
    const found = lines.findIndex((line, index) => index > at && close.test(line));
    return found < 0 ? lines.length : found + 1;
  },
  quote: (lines, at) => firstFrom(lines, at + 1, (line) => !QUOTE.test(line)),
  table: (lines, at) => firstFrom(lines, at + 2, (line) => !line.includes("|")),
  text: (lines, at) =>
    firstFrom(lines, at + 1, (line, index) => {
      if (!line.trim()) return true;
      const kind = kindOf(lines, index);
      if (kind !== "list") return kind !== "text";
      return !isNumbered(line.slice(0, 12)) || /^ *1[.)]/.test(line); // "... in\n2024. Then" is no list
    }),
  list: (lines, at) => {
    const [, indent, marker] = ITEM.exec(lines[at]);
    let end = at + 1;
    for (let next = end; next < lines.length; next += 1) {
      const line = lines[next];
      if (!line.trim()) continue; // ends the list only when what follows does not belong to it
      const item = RULE.test(line) ? null : ITEM.exec(line);
      const belongs =
        line.search(/\S/) >= indent.length + 2 ||
        (item && isNumbered(item[2]) === isNumbered(marker)) ||
        (next === end && kindOf(lines, next) === "text");
      if (!belongs) break;
      end = next + 1;
    }
    return end;
  },
};

function firstFrom(lines, start, ends) {
  let at = start;
  while (at < lines.length && !ends(lines[at], at)) at += 1;
  return Math.min(at, lines.length);
}

function closing(opening) {
  const [, fence] = FENCE.exec(opening);
  return new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
}

function build({ kind, lines }, depth) {
  if (kind === "code") return buildCode(lines);
  if (kind === "table") return buildTable(lines);
  if (kind === "rule") return element("hr");
  if (kind === "heading") {
    const [, marks, text] = HEADING.exec(lines[0]);
    return inline(element(`h${Math.min(6, marks.length + 2)}`), text); // the page itself owns the first two levels
  }
  if (depth < DEEPEST && kind === "list") return buildList(lines, depth);
  if (depth < DEEPEST && kind === "quote") {
    const inner = split(lines.map((line) => line.replace(QUOTE, "")));
    return element("blockquote", "", ...inner.map((block) => build(block, depth + 1)));
  }
  return inline(element("p"), lines.map((line) => line.trim()).join("\n"));
}

function buildCode(lines) {
  const isClosed = lines.length > 1 && closing(lines[0]).test(lines.at(-1));
  const text = lines.slice(1, isClosed ? -1 : undefined).join("\n");
  const language = lines[0].replace(FENCE, "").trim().split(/\s/)[0];
  const head = element("div", "code-head", element("span", "", language));
  if (isClosed) head.append(copyButton(() => text)); // an open block is rebuilt at every word, without focus
  const pre = element("pre", "", element("code", "", text));
  pre.tabIndex = 0;
  const node = element("div", "code", head, pre);
  node.dir = "ltr";
  return node;
}

function buildTable(lines) {
  const cells = (line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/);
  const sides = cells(lines[1]).map((rule) => {
    const [left, right] = [/^ *:/.test(rule), /: *$/.test(rule)];
    return left && right ? "middle" : right ? "end" : "";
  });
  const row = (line, tag) => {
    const texts = cells(line).slice(0, sides.length);
    return element("tr", "", ...texts.map((text, index) => inline(element(tag, sides[index]), text.trim())));
  };
  const head = element("thead", "", row(lines[0], "th"));
  const body = element("tbody", "", ...lines.slice(2).map((line) => row(line, "td")));
  const node = element("div", "table", element("table", "", head, body));
  node.tabIndex = 0;
  return node;
}

function buildList(lines, depth) {
  const [, indent, marker] = ITEM.exec(lines[0]);
  const items = [];
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match && match[1].length < indent.length + 2) {
      items.push({ width: match[0].length, lines: [line.slice(match[0].length)] });
    } else {
      const { width, lines: inner } = items.at(-1);
      inner.push(line.slice(Math.min(width, line.search(/\S|$/))));
    }
  }
  const nodes = items.map((item) => {
    const [first, ...rest] = split(item.lines);
    const node = element("li");
    if (first?.kind === "text") inline(node, first.lines.map((line) => line.trim()).join("\n"));
    else if (first) node.append(build(first, depth + 1));
    node.append(...rest.map((block) => build(block, depth + 1)));
    return node;
  });
  const list = element(isNumbered(marker) ? "ol" : "ul", "", ...nodes);
  if (isNumbered(marker)) list.start = Number.parseInt(marker, 10);
  return list;
}

function inline(node, source, isLinked = false) {
  let at = 0;
  for (const match of source.matchAll(INLINE)) {
    node.append(source.slice(at, match.index), inlinePart(match, isLinked));
    at = match.index + match[0].length;
  }
  node.append(source.slice(at));
  return node;
}

function inlinePart({ 0: whole, groups }, isLinked) {
  if (groups.escaped) return groups.escaped;
  if (groups.code) return element("code", "", groups.code.replace(/^ (.*) $/s, "$1"));
  const address = groups.href?.replace(/^<(.*)>$/, "$1") ?? groups.bare;
  if (address) {
    const label = groups.label ? inline(element("span"), groups.label, true) : (groups.bare ?? "");
    const node = isLinked ? whole : link(label, address);
    return node === label ? whole : node;
  }
  const marks = (groups.star ?? groups.line).length;
  const inner = inline(element(marks === 1 ? "em" : "strong"), groups.starred ?? groups.lined, isLinked);
  return marks === 3 ? element("em", "", inner) : inner;
}
