"""Makes the text of a script from its file: the header's names become locals, so that no script reads by position.

A file begins with comments. Lines that begin with `-- @` are its header; a directive may stand on several lines:

* `@keys` and `@argv` name KEYS and ARGV in order. `; rest...` is a table with all that follow.
* `@returns` has the answers, separated by `|`. A word in capitals is a code: a member of the script's IntEnum, whose
  number Lua gets under the same name.
* `@constants` are values that the Python side gives, such as a length that both sides must agree on.
* `@include` puts in `include/NAME.lua`, of the script's own package or of this one. An include holds functions, which
  read their parameters, what the include itself names in its header, and nothing else.

Files are read as package data when a module is imported; what does not fit its Python side is refused then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import Final, NamedTuple

PACKAGE: Final = "headgate.scripts"
"""Where scripts and includes are looked for by default."""

MOST_INDEXED: Final = 4
"""Most names that are read one by one; of more, `unpack` is faster: 40 names take 0.5 us instead of 1.8."""

Constant = int | str | Sequence[str]
"""A value for Lua; several strings become a set, a table from each to true."""

_DIRECTIVE: Final = re.compile(r"-- @(\w+) (.*)")
_CODE: Final = re.compile(r"\b[A-Z][A-Z_]+\b")


class ScriptHeaderError(Exception):
    """The header of a script is not what its Python side says."""


@dataclass(frozen=True, slots=True)
class ScriptSource:
    """A Lua file as it stands.

    Args:
        package: where it was found.
        name: its file's name without `.lua`; an include's begins with `include/`.
        header: the words of each directive.
        body: what follows the header.
    """

    package: str
    name: str
    header: Mapping[str, Sequence[str]]
    body: str

    def words(self, directive: str) -> Sequence[str]:
        """The words of a directive; none where the file has none."""
        return self.header.get(directive, ())


class Signature(NamedTuple):
    """The names of KEYS or of ARGV: those with a place of their own, and the table of all that follow, or ''."""

    names: tuple[str, ...]
    rest: str

    def declared(self, array: str) -> Iterator[str]:
        """Lua that gives the members of an array these names."""
        count = len(self.names)
        if count > MOST_INDEXED:
            yield f"local {', '.join(self.names)} = unpack({array}, 1, {count})"
        elif count:
            yield f"local {', '.join(self.names)} = {', '.join(f'{array}[{i + 1}]' for i in range(count))}"
        if self.rest:
            yield f"local {self.rest} = {{}}"
            yield f"for place = {count + 1}, #{array} do {self.rest}[place - {count}] = {array}[place] end"


def load(
    name: str,
    keys: type[NamedTuple],
    arguments: type[NamedTuple],
    *,
    answers: type[IntEnum] | None = None,
    constants: Mapping[str, Constant] | None = None,
    package: str = PACKAGE,
) -> str:
    """The text of a script.

    Args:
        name: its file's name without `.lua`.
        keys: its KEYS by name, without a rest.
        arguments: its ARGV by name, without a rest.
        answers: the codes in its answers.
        constants: a value for each constant of the script and of what it includes.
        package: where its file is.

    Raises:
        ScriptHeaderError: the header names anything else.
    """
    script = read(name, package)
    _compare(name, "KEYS", signature(script, "keys").names, keys._fields)
    _compare(name, "ARGV", signature(script, "argv").names, arguments._fields)
    codes: dict[str, Constant] = {code.name: int(code) for code in answers or ()}
    _compare(name, "answers", sorted(codes_of(script)), sorted(codes))
    given = constants or {}
    _compare(name, "constants", sorted(constants_of(script)), sorted(given))
    parts = (*_includes(script, given, set()), *_expanded(script, {**codes, **given}))
    return "\n".join((f"-- {package}/{name}.lua", *parts))


def read(name: str, package: str = PACKAGE) -> ScriptSource:
    """The file of a script, or of an include, as it stands."""
    lines = files(package).joinpath(f"{name}.lua").read_text(encoding="utf-8").splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header: dict[str, list[str]] = {}
    for line in lines[:end]:
        if found := _DIRECTIVE.fullmatch(line):
            header.setdefault(found[1], []).extend(found[2].split())
    return ScriptSource(package, name, header, "\n".join(lines[end:]))


def signature(script: ScriptSource, directive: str) -> Signature:
    """The names under `@keys` or `@argv`."""
    fixed, _, rest = " ".join(script.words(directive)).partition(";")
    return Signature(tuple(fixed.split()), rest.strip().removesuffix("..."))


def codes_of(script: ScriptSource) -> set[str]:
    """The codes that a script answers with."""
    return set(_CODE.findall(" ".join(script.words("returns"))))


def constants_of(script: ScriptSource) -> set[str]:
    """The constants of a script and of all that it includes."""
    return set(script.words("constants")).union(*(constants_of(included) for included in includes_of(script)))


def includes_of(script: ScriptSource) -> list[ScriptSource]:
    """What a script, or an include, includes by itself."""
    return [_include(name, script.package) for name in script.words("include")]


def include_text(include: ScriptSource, constants: Mapping[str, Constant]) -> str:
    """An include with all that it includes, as it stands in a script."""
    return "\n".join((*_includes(include, constants, set()), *_expanded(include, constants)))


def _include(name: str, package: str) -> ScriptSource:
    own = files(package).joinpath(f"include/{name}.lua").is_file()
    return read(f"include/{name}", package if own else PACKAGE)


def _includes(script: ScriptSource, constants: Mapping[str, Constant], seen: set[str]) -> Iterator[str]:
    for included in includes_of(script):
        if included.name not in seen:
            seen.add(included.name)
            yield from _includes(included, constants, seen)
            yield from _expanded(included, constants)


def _expanded(script: ScriptSource, values: Mapping[str, Constant]) -> Iterator[str]:
    for name in (*sorted(codes_of(script)), *script.words("constants")):
        yield f"local {name} = {_literal(values[name])}"
    yield from signature(script, "keys").declared("KEYS")
    yield from signature(script, "argv").declared("ARGV")
    yield script.body


def _literal(value: Constant) -> str:
    if isinstance(value, int):
        return str(int(value))
    return f"'{value}'" if isinstance(value, str) else "{" + ", ".join(f"['{each}'] = true" for each in value) + "}"


def _compare(name: str, what: str, header: Sequence[str], wanted: Sequence[str]) -> None:
    if tuple(header) != tuple(wanted):
        raise ScriptHeaderError(
            f"{name}.lua: {what} of the header are {list(header)}, of its Python side {list(wanted)}"
        )
