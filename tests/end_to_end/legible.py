"""Whether a page can be read: what has too little contrast, and what sticks out to the side."""

import json
from typing import Final

from tests.end_to_end.browser import Tab

# What sticks out. Cut off on purpose, or inside a scroller of its own such as a table's, is not sticking out.
SIDEWAYS: Final = """
() => {
  const isSeen = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const cuts = (node) => getComputedStyle(node).overflowX !== "visible" && node !== document.body;
  const isCut = (node) => node.parentElement && (cuts(node.parentElement) || isCut(node.parentElement));
  const isTooWide = (node) => getComputedStyle(node).overflowX === "auto" && node.scrollWidth > node.clientWidth;
  const sticksOut = ({ left, right }) => left < -0.5 || right > innerWidth + 0.5;
  const all = [...document.querySelectorAll("body, body *")].filter((node) => isSeen(node) && !node.matches(".skip"));
  return all
    .filter((node) => (isTooWide(node) && !node.matches("pre, .table")) ||
      (!isCut(node) && sticksOut(node.getBoundingClientRect())))
    .map((node) => `${node.localName} ${node.id} ${node.className}`);
}
"""


async def sideways(tab: Tab) -> list[str]:
    """What sticks out to the side."""
    found: list[str] = await tab.page.evaluate(SIDEWAYS)
    return found


# Every text in sight against what is painted behind it.
CONTRASTS: Final = """
() => {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const colour = (text) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], alpha: a / 255 };
  };
  const over = (top, below) => top.rgb.map((value, i) => value * top.alpha + below[i] * (1 - top.alpha));
  const behind = (node) => {
    if (!node) return [255, 255, 255];
    const own = colour(getComputedStyle(node).backgroundColor);
    return own.alpha === 1 ? own.rgb : over(own, behind(node.parentElement));
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (text, node) => {
    const ground = behind(node);
    const [high, low] = [luminance(over(colour(text), ground)), luminance(ground)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const isSeen = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !isSeen(node) || node.closest(".unseen, .skip, textarea")) continue;
    found.push([text.data.trim().slice(0, 40), contrast(getComputedStyle(node).color, node)]);
  }
  const message = document.querySelector("textarea");
  if (isSeen(message)) {
    found.push(["the message", contrast(getComputedStyle(message).color, message)]);
    found.push([message.placeholder, contrast(getComputedStyle(message, "::placeholder").color, message)]);
  }
  return { found, ground: luminance(behind(document.body)) };
}
"""


async def readable(tab: Tab, scheme: str) -> None:
    """Dark on light or light on dark, and always with enough contrast."""
    seen = await tab.page.evaluate(CONTRASTS)
    assert (seen["ground"] < 0.1) == (scheme == "dark")
    assert len(seen["found"]) > 1
    assert [(text, round(contrast, 2)) for text, contrast in seen["found"] if contrast < 4.5] == [], json.dumps(seen)
