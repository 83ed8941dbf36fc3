"""Takes the text out of HTML, as a page or as a mail (https://html.spec.whatwg.org), by lxml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from app.profiles.plain_text import MARKS
from app.profiles.profile import MAX_TEXT
from app.sources.documents.document import TOO_LONG
from app.sources.documents.written_date import written_date
from app.sources.refusal import Refused

# Bytes in which a page says its encoding: the standard has browsers look at 1024.
HEAD = 4096
CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
SPACES = re.compile(r"[ \t\r\n\f\xa0]+")
DROPPED = {
    *("head", "script", "style", "noscript", "template", "svg", "nav", "aside", "footer", "button", "select"),
    *("textarea", "iframe", "object", "canvas", "audio", "video", "dialog", "datalist", "map"),
}
ROLES = {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "menubar"}
UNSEEN = re.compile(r"(?:display\s*:\s*none|mso-hide\s*:\s*all)", re.IGNORECASE)
# Elements that begin a line, and those with an empty line around them.
LINES = {
    *("div", "li", "tr", "dt", "dd", "br", "main", "header", "caption", "figcaption", "center", "body"),
    *("legend", "fieldset", "form", "summary", "details"),
}
APART = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "blockquote", "table", "pre", "section"),
    *("article", "figure", "hr", "address"),
}
DATES = {
    *("date", "created", "dcterms.created", "dc.date", "dc.date.created", "article:published_time"),
    *("datepublished", "publication_date", "pubdate"),
}
# Quotations by the programs that write mail. The text's own rules then find what stands around them.
QUOTED = {"gmail_quote", "protonmail_quote", "tutanota_quote", "zmail_extra", "yahoo_quoted", "ik_mail_quote"}
# Behind these there is nothing of the person: Outlook's programs do not enclose what they quote.
LAST_IDS = {"divRplyFwdMsg", "appendonsend", "mail-editor-reference-message-container", "reply-intro"}
LAST_STYLE = re.compile(r"border-top:\s*solid\s+#(?:E1E1E1|B5C4DF)", re.IGNORECASE)
SIGNATURES = {"gmail_signature", "gmail_signature_prefix", "moz-signature", "protonmail_signature_block"}
SIGNATURE_IDS = {"Signature", "signature", "AppleMailSignature", "ms-outlook-mobile-signature"}


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """What a page says; `title` is "" where it has none."""

    title: str
    created_at: datetime | None
    text: str


def page_of(data: bytes) -> Page:
    """Without navigation, scripts and what is not shown; of a page with one article that alone."""
    root = _parsed(decoded_page(data))
    if root is None:
        return Page("", None, "")
    found = root.find(".//title")
    heading = root.find(".//h1")
    title = _inner(found) or _inner(heading)
    return Page(title, _created(root), _Writer(mail=False).written(_article(root)))


def mail_text(html: str) -> str:
    """With ">" in place of what is quoted; without signatures, and what stands below Outlook's marks."""
    root = _parsed(html)
    return "" if root is None else _Writer(mail=True).written(root)


def decoded_page(data: bytes) -> str:
    """By the byte order mark, as UTF-8, by what the page says, or as Windows-1252, as browsers do."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        said = CHARSET.search(data[:HEAD])
    name = said[1].decode() if said else "windows-1252"
    name = "windows-1252" if name.lower() in {"iso-8859-1", "latin1", "us-ascii", "utf-8"} else name
    try:
        return data.decode(name, errors="replace")
    except LookupError:
        return data.decode("windows-1252", errors="replace")


def _parsed(html: str) -> Any:
    """The root element; None if there is no element at all. Raises Refused where some are nested too
    deeply: beyond a depth the parser leaves out the rest of a page."""
    # Mails that were answered often are nested more deeply than 256 times.
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = etree.fromstring(html.replace("\0", "").encode(errors="replace"), parser)
    except etree.XMLSyntaxError:
        return None
    if any(error.type_name == "ERR_RESOURCE_LIMIT" for error in parser.error_log):
        raise Refused("elements that are nested too deeply")
    return root


def _article(root: Any) -> Any:
    for path in (".//main", ".//*[@role='main']", ".//article"):
        found = root.findall(path)
        if len(found) == 1 and "".join(found[0].itertext()).strip():
            return found[0]
    return root


def _inner(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _created(root: Any) -> datetime | None:
    for meta in root.iterfind(".//meta"):
        name = (meta.get("name") or meta.get("property") or meta.get("itemprop") or "").lower()
        if name in DATES and (date := written_date((meta.get("content") or "").strip())):
            return date
    return None


class _Writer:
    """Writes the elements' text line by line."""

    def __init__(self, *, mail: bool) -> None:
        self._mail = mail
        self._parts: list[str] = []
        self._size = 0
        self._gap = 0  # line ends that are due before the next text
        self._blank = True  # whether the line has no text, or a blank at its end
        self._pre = 0

    def written(self, root: Any) -> str:
        """Raises Refused where it is too long for an item."""
        for event, element in self._seen(root):
            if event == "start":
                self._begin(element)
            else:
                self._end(element)
                if element is not root:
                    self._write(element.tail)
        return "".join(self._parts)

    def _seen(self, root: Any) -> Iterator[tuple[str, Any]]:
        """The events of what is shown, up to where a mail begins to quote for good."""
        walk = etree.iterwalk(root, events=("start", "end"))
        skipped: Any = None
        for event, element in walk:
            if event == "end":
                if element is skipped:
                    skipped = None
                    if element is not root:
                        self._write(element.tail)
                    continue
                yield event, element
            elif self._mail and _ends_mail(element):
                return
            elif self._mail and _quotes(element):
                self._line(">")
                walk.skip_subtree()
                skipped = element
            elif _dropped(element) or (self._mail and _signs(element)):
                walk.skip_subtree()
                skipped = element
            else:
                yield event, element

    def _begin(self, element: Any) -> None:
        tag = element.tag
        self._gap_of(tag)
        if tag == "pre":
            self._pre += 1
        elif tag == "li":
            self._write("- ", exact=True)
        elif tag in {"td", "th"} and not self._blank and not self._gap:
            self._write("\t", exact=True)
        self._write(element.text)

    def _end(self, element: Any) -> None:
        if element.tag == "pre":
            self._pre -= 1
        if element.tag != "br":
            self._gap_of(element.tag)

    def _gap_of(self, tag: str) -> None:
        if tag == "br":
            self._gap += 1
        elif tag in APART:
            self._gap = max(self._gap, 2)
        elif tag in LINES:
            self._gap = max(self._gap, 1)

    def _line(self, text: str) -> None:
        self._gap = max(self._gap, 1)
        self._write(text)
        self._gap = 1

    def _write(self, text: str | None, *, exact: bool = False) -> None:
        if not text:
            return
        if not exact and not self._pre:
            text = SPACES.sub(" ", text)
            if self._blank or self._gap:
                text = text.removeprefix(" ")
            if not text:
                return
        if self._gap:
            self._parts.append("\n" * min(self._gap, 2) if self._parts else "")
            self._gap = 0
        self._parts.append(text)
        self._blank = text[-1] in " \t\n"
        self._size += len(text)
        if self._size > 2 * MAX_TEXT:
            raise Refused(TOO_LONG.reason)


def _dropped(element: Any) -> bool:
    if element.tag in DROPPED or element.get("role") in ROLES:
        return True
    if element.tag == "header":
        return element.getparent() is not None and element.getparent().tag == "body"
    unseen = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    return unseen or UNSEEN.search(element.get("style") or "") is not None


def _classes(element: Any) -> set[str]:
    return set((element.get("class") or "").split())


def _quotes(element: Any) -> bool:
    """Gmail's answers within a quotation lie in the same div as its blockquotes, so the div is none."""
    if element.tag == "blockquote":
        return (element.get("type") or "").lower() == "cite" or bool(_classes(element) & QUOTED)
    return bool(_classes(element) & (QUOTED - {"gmail_quote"}))


def _ends_mail(element: Any) -> bool:
    if element.get("id") in LAST_IDS:
        return True
    return element.tag == "div" and LAST_STYLE.search(element.get("style") or "") is not None


def _signs(element: Any) -> bool:
    return bool(_classes(element) & SIGNATURES) or element.get("id") in SIGNATURE_IDS
