"""What the page's files show without a browser: their size, their references and what they never contain."""

import gzip
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import gateway

PAGE = Path(gateway.__file__).parent / "page"
FILES = sorted(path for path in PAGE.rglob("*") if path.is_file())
LIMIT_BYTES = 30_000

# Ways from text to markup or code, and from a string to a style.
FORBIDDEN = {
    "innerHTML": r"\binnerHTML\b",
    "outerHTML": r"\bouterHTML\b",
    "insertAdjacentHTML": r"\binsertAdjacentHTML\b",
    "setHTML": r"\bsetHTML(Unsafe)?\b",
    "srcdoc": r"\bsrcdoc\b",
    "parsing HTML": r"\bDOMParser\b|\bcreateContextualFragment\b|\bparseFromString\b",
    "document.write": r"\bdocument\s*\.\s*write(ln)?\b",
    "eval": r"\beval\s*\(",
    "code from a string": r"(?-i:\bFunction\s*\()|\bset(Timeout|Interval)\s*\(\s*[\"'`]",
    "javascript: address": r"javascript:",
    "style from a string": r"\bcssText\b|setAttribute\(\s*[\"'`]style",
    "handler from a string": r"setAttribute\(\s*[\"'`]on",
    "other address": r"https?://|[\"'(]\s*//",
    "import of a package": r"\b(from|import)\s*\(?\s*[\"'`][^./\"'`]",
    "style import": r"@import\b",
}
ELEMENT_WITH_ADDRESS = {"href", "src", "action", "formaction", "data", "poster", "srcset"}


class Markup(HTMLParser):
    """Every start tag of a document with its attributes, and the text inside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inline_code: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None and data.strip():
            self.inline_code.append(data)


@pytest.fixture(scope="module")
def markup() -> Markup:
    return Markup((PAGE / "index.html").read_text("utf-8"))


def referenced_files() -> Iterator[tuple[str, Path]]:
    """Each local file that a file of the page asks for, with the text that asks."""
    for _, attributes in Markup((PAGE / "index.html").read_text("utf-8")).tags:
        for name in ELEMENT_WITH_ADDRESS & attributes.keys():
            address = attributes[name]
            if not address.startswith(("#", "data:")):
                assert address.startswith("/page/"), f"index.html asks for {address}, which is not served"
                yield f"index.html: {address}", PAGE / address.removeprefix("/page/")
    for path in FILES:
        text = path.read_text("utf-8")
        if path.suffix == ".js":
            for address in re.findall(r"(?:\bfrom|\bimport)\s*\(?\s*[\"'`]([^\"'`]+)", text):
                yield f"{path.name}: {address}", path.parent / address
        if path.suffix == ".css":
            for address in re.findall(r"url\(\s*[\"']?([^\"')]+)", text):
                if not address.startswith("data:"):
                    yield f"{path.name}: {address}", path.parent / address


def test_the_whole_page_is_smaller_than_30_kilobytes_compressed() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in FILES}
    assert sum(sizes.values()) < LIMIT_BYTES, sizes


def test_the_page_holds_only_markup_styles_and_modules() -> None:
    assert {path.suffix for path in FILES} == {".html", ".css", ".js"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_turns_text_into_code_or_reaches_another_host(path: Path, what: str) -> None:
    found = [match.group() for match in re.finditer(FORBIDDEN[what], path.read_text("utf-8"), re.IGNORECASE)]
    assert found == [], f"{path.name} contains {what}"


def test_the_markup_holds_no_inline_script_style_or_handler(markup: Markup) -> None:
    assert markup.inline_code == []
    for tag, attributes in markup.tags:
        assert tag not in {"style", "base", "iframe", "object", "embed"}
        assert "style" not in attributes, f"<{tag}> has a style"
        assert not [name for name in attributes if name.startswith("on")], f"<{tag}> has a handler"


def test_every_script_is_a_module_of_our_own(markup: Markup) -> None:
    scripts = [attributes for tag, attributes in markup.tags if tag == "script"]
    assert scripts
    assert all(script.get("type") == "module" and script["src"].startswith("/page/") for script in scripts)


def test_every_file_that_is_asked_for_exists() -> None:
    asked = list(referenced_files())
    assert [who for who, path in asked if not path.is_file()] == []


def test_every_file_is_asked_for() -> None:
    asked = {path.resolve() for _, path in referenced_files()}
    assert {path.name for path in FILES if path.resolve() not in asked} == {"index.html"}


def test_every_word_comes_from_the_one_table(markup: Markup) -> None:
    known = set(re.findall(r"^  (\w+):", (PAGE / "words.js").read_text("utf-8"), re.MULTILINE))
    asked = {a[name] for _, a in markup.tags for name in ("data-word", "data-label") if name in a}
    for path in PAGE.glob("*.js"):
        asked |= set(re.findall(r"\bWORDS\.(\w+)", path.read_text("utf-8")))
    asked |= set(re.findall(r"\blabel: \"(\w+)\"", (PAGE / "thread.js").read_text("utf-8")))
    assert asked - known == set()
    assert known - asked == set()


def test_ids_in_the_markup_are_unique_and_everything_that_names_one_finds_it(markup: Markup) -> None:
    ids = [attributes["id"] for _, attributes in markup.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointers = ("for", "aria-labelledby", "aria-describedby", "aria-controls")
    asked = {a[name] for _, a in markup.tags for name in pointers if name in a}
    asked |= {a["href"][1:] for _, a in markup.tags if a.get("href", "").startswith("#")}
    app = (PAGE / "app.js").read_text("utf-8")
    asked |= set(re.findall(r"\bui\.([a-z]\w*)", app)) | set(re.findall(r"\bui\[\"([\w-]+)\"\]", app))
    assert asked - set(ids) == set()
