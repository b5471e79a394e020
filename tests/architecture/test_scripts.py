"""Every Lua script: that modules load it, that its names are sound, and that nothing reads by position.

That a header is what its Python side says is checked when its module is imported, see `headgate.scripts.loader`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headgate.scripts import loader
from headgate.store import keys
from tests.architecture import lua_names, lua_scripts
from tests.architecture.lua_scripts import includes, name_line, scripts, texts
from tests.architecture.repository import SOURCE_ROOTS, relative, written_by_hand


def test_every_script_is_loaded_by_a_module_and_every_include_by_a_script() -> None:
    used = {included.name for script in (*scripts(), *includes()) for included in loader.includes_of(script)}

    assert {name_line(script) for script in scripts()} == set(texts())
    assert {include.name for include in includes()} == used


def test_nothing_reads_by_position_below_a_header() -> None:
    assert not [path for path in lua_scripts.lua_files() if re.search(r"KEYS|ARGV", lua_scripts.source_of(path).body)]


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.name)
def test_no_name_of_a_script_is_undefined_unused_shadowed_or_global(script: loader.ScriptSource) -> None:
    assert not lua_names.findings(texts()[name_line(script)])


@pytest.mark.parametrize("include", includes(), ids=lambda include: include.name)
def test_an_include_reads_only_what_it_is_given(include: loader.ScriptSource) -> None:
    text = loader.include_text(include, dict.fromkeys(loader.constants_of(include), 0))

    assert not lua_names.findings(text, unused=False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("local a = b", ["undefined: b", "unused: a"]),
        ("a = 1", ["global: a"]),
        ("function a() end", ["global: a function"]),
        ("local a = 1 local function b(a) return a end return b(a)", ["shadowed: a"]),
        ("for i = 1, 2 do end", ["unused: i"]),
        ("local a = 1 a = 2", ["unused: a"]),
        ("local a = {b = 1, ['c'] = 2} return a.b, a['d'], #a", []),
        ("local function a(b) if b then return a(not b) else return 1 end end return a(1)", []),
        ("for _, b in ipairs(KEYS) do redis.call('GET', b) end", []),
        ("repeat local a = redis.call('GET', KEYS[1]) until a", []),
    ],
)
def test_what_is_wrong_with_names_is_found(text: str, found: list[str]) -> None:
    assert sorted(lua_names.findings(text)) == sorted(found)


def test_only_one_module_names_what_stands_in_redis() -> None:
    """A name that two places write may differ in one of them; scripts get theirs as keys, arguments or constants."""
    literal = re.compile(r"""["'](?:hg|arq|headgate):[a-z]""")
    sources = [path for path in written_by_hand() if path.suffix in {".py", ".lua"}]
    product = [path for path in sources if relative(path).startswith(SOURCE_ROOTS)]

    assert [path for path in product if literal.search(path.read_text())] == [Path(keys.__file__)]
