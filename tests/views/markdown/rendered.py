"""Markdown as GitHub renders it: with its own renderer, read back with the standard library."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

_VOID = {"br", "hr", "img", "input"}
# What GitHub or GitLab would turn into a mention, a reference or a link outside of code.
LIVE = re.compile(r"@\w|[#!$]\d|[~%&]\w|www\.|://|\w@\w|GH-\d|\b[0-9a-f]{7,40}\b|\]\(", re.IGNORECASE)


@dataclass
class Page(HTMLParser):
    """``elements``: every start and end in order, without code spans; ``texts``: tag and text of cells, list items,
    headings, paragraphs and blocks of code; ``bare``: text outside of code.
    """

    elements: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    bare: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append(tag)
        if tag in ("td", "th", "li", "h2", "h3", "p", "pre", "summary"):
            self.texts.append((tag, ""))
        if tag != "code":
            self.elements.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag != "code":
            self.elements.append(f"/{tag}")
        if tag != "code" and "code" not in self._open:
            self.bare += "\n"

    def handle_data(self, data: str) -> None:
        tag, text = self.texts[-1] if self.texts else ("", "")
        if tag in self._open:
            self.texts[-1] = (tag, text + data)
        if "code" not in self._open:
            self.bare += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def rows(self) -> list[str]:
        """Texts with their blanks made one."""
        return [" ".join(text.split()) for _, text in self.texts]


def render(markdown: str) -> Page:
    """As GitHub does, before it sanitises: raw HTML comes through, so that a break-out would be seen."""
    page = Page()
    page.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE))
    page.close()
    assert page._open == []
    return page
