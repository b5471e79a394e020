"""A report as one page that needs nothing else and runs nothing."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from headgate import pb
from headgate_cli.views.report.page import page
from headgate_cli.views.report.rows import rows
from tests.cli.views.report.samples import HOSTILE, good, mixed, year


class Elements(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("sample", [good, mixed])
def test_a_page_needs_nothing_else_and_runs_nothing(sample: Callable[[], pb.JobReport]) -> None:
    text = page(sample())
    found = Elements(text)

    assert not found.open
    assert not {"script", "link", "img", "iframe", "object", "form", "a", "base"} & set(found.tags)
    names = [name for name, _ in found.attributes]
    assert not [name for name in names if name.startswith("on") or name in ("src", "href", "action", "srcset")]
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"] * found.tags.count("svg")
    assert [
        value
        for name, value in found.attributes
        if name == "content" and (value or "").startswith("default-src 'none'")
    ]
    assert "url(" not in text and "@import" not in text


def test_what_a_server_says_is_text_in_a_page() -> None:
    assert "&lt;script&gt;" in page(mixed())
    assert HOSTILE[:8] not in page(mixed())


def test_a_year_is_one_page_with_a_cell_a_date() -> None:
    whole = year()
    text = page(whole)

    assert len(whole.dates) == 365
    assert text.count('height="15" rx="3"') == 365
    assert len(list(rows(whole))) == 367
    assert text.count('height="14" rx="2"') == 366  # the instance of the date that was stopped never began
    assert len(text) < 1024 * 1024
