"""The pictures of the documents: there, readable without any other host, and made by a run."""

import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest
from rich.text import Text

from docs.pictures import recording, svg, terminal
from tests.architecture.repository import ROOT, documents, relative

pytestmark = pytest.mark.slow

IMAGE: Final = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
LARGEST: Final = 150_000
OURS: Final = {"www.w3.org", "127.0.0.1"}
"""The name space of SVG, and this machine, which the demo names."""

RECORDED: Final = {f"docs/pictures/{name}.svg" for name in ("demo", "demo-year", "year", "year-end")}


def shown_by(path: Path) -> set[str]:
    """The pictures that a document shows."""
    return {relative((path.parent / link).resolve()) for _, link in IMAGE.findall(path.read_text())}


EVERY: Final = sorted({picture for path in documents() for picture in shown_by(path)})


def words(path: Path) -> str:
    """All text of a picture, which has to be XML."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return "\n".join(root.itertext())


def test_readme_and_the_page_of_the_command_line_show_what_is_recorded() -> None:
    readme, page = shown_by(ROOT / "README.md"), shown_by(ROOT / "docs/cli.md")

    assert {
        f"docs/pictures/{name}.svg" for name in ("demo", "demo-year", "year")
    } <= readme and "docs/pictures/year-end.svg" in page
    assert {relative(path) for path in (ROOT / "docs/pictures").glob("*.svg")} == RECORDED == (readme | page)
    assert all(text for path in documents() for text, _ in IMAGE.findall(path.read_text())), "say what it shows"


@pytest.mark.parametrize("name", EVERY)
def test_a_picture_is_small_and_asks_no_other_host_for_anything(name: str) -> None:
    text = (ROOT / name).read_text()

    assert len(text.encode()) < LARGEST and words(ROOT / name)
    assert set(re.findall(r"\w+://([\w.-]+)", text)) <= OURS
    assert not re.search(r"href|url\(|@import|<script|<image|<foreignObject", text)


async def test_a_small_run_makes_pictures(tmp_path: Path) -> None:
    await recording.year(tmp_path, "2025-03-13..2025-03-15")

    midway, end = words(tmp_path / "year.svg"), words(tmp_path / "year-end.svg")
    assert "headgate watch orders-2025 --gantt --at" in midway
    assert "lane 1" in end and "2/3 succeeded, 1 failed" in end and "2025-03-14 load_orders" in end


def test_a_screen_has_what_stands_at_the_end_in_its_colours() -> None:
    written = r"first\n\033[?25lone\ntwo\n\r\033[2K\033[1A\033[2K\033[1A\033[2K\033[32mgreen\033[0m & plain\n\033[?25h"

    lines = terminal.screen(("printf", written), {})

    assert [line.plain for line in lines] == ["first", "green & plain", "", ""]
    assert [span.style for span in lines[1].spans if "green" in str(span.style) or "2" in str(span.style)]


def test_text_stands_in_its_column_and_bars_are_rectangles() -> None:
    drawn = svg.picture([Text.assemble("a <b>  ", ("██", "green"), ("c", "reverse"))], 12, "a & b")

    root = ElementTree.fromstring(drawn)
    texts = [(node.text, node.get("x")) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    bars = [(node.get("x"), node.get("width")) for node in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    at = [f"{svg.EDGE + svg.CELL * column:.1f}" for column in range(12)]
    assert texts == [("a <b>", at[0]), ("c", at[9])]
    assert bars == [(at[7], f"{2 * svg.CELL:.1f}"), (at[9], f"{svg.CELL:.1f}")]
