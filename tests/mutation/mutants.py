"""Mutants as mutmut and cosmic-ray print them: the place and the change of each. Pure."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# A run that does not end in its time was noticed, too.
_KILLED = {"killed", "timeout"}
_MUTMUT_RESULT = re.compile(
    r" *(plugchat_async\.([\w.]+)\.x(?:_|ǁ([^ǁ]+)ǁ)(\w+)__mutmut_\d+): (.+)"
)
# A keyword is a part of its value's token: it tells apart what is changed in one call.
_TOKEN = re.compile(
    r"""(?:\w+=(?=[^=\s]))?"""
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.]*\w|(?:\*\*|//|<<|>>|->|[-+*/%@&|^<>=!:])=?|\S)"""
)


class Mutant(NamedTuple):
    """Change of the code, where it was made, and whether a test failed by it.

    Attributes:
        module: Its name in the package, such as `_stream`.
        function: The function or method, or else the class; empty if it is outside of all.
        tool: By which it was made.
        is_killed: Whether a test failed, or did not end.
        diff: The change; empty if nobody asked.
    """

    module: str
    function: str
    tool: str
    is_killed: bool
    diff: str

    @property
    def where(self) -> str:
        """The qualified name of the function."""
        return f"{self.module}.{self.function}".rstrip(".")


def by_mutmut(results: str, show: Callable[[str], str]) -> Iterator[Mutant]:
    """Read the output of `mutmut results --all true`.

    Args:
        results: The output.
        show: Returns the output of `mutmut show` for a mutant's name.

    Raises:
        ValueError: A line is not a mutant's.
    """
    for line in results.splitlines():
        found = _MUTMUT_RESULT.fullmatch(line)
        if found is None:
            raise ValueError(f"not a mutant of mutmut: {line}")
        name, module, owner, function, status = found.groups()
        is_killed = status in _KILLED
        qualified = f"{owner}.{function}" if owner else function
        yield Mutant(module, qualified, "mutmut", is_killed, "" if is_killed else show(name))


def by_cosmic_ray(dump: str, source: Callable[[str], str]) -> Iterator[Mutant]:
    """Read the output of `cosmic-ray dump`, without the mutants that were not made.

    Args:
        dump: The output.
        source: Returns the code at a path.
    """
    for line in dump.splitlines():
        work, result = json.loads(line)
        if result["worker_outcome"] != "normal":
            continue
        (made,) = work["mutations"]
        path = made["module_path"]
        module = path.removesuffix(".py").removesuffix("/__init__").partition("/")[2]
        yield Mutant(
            module.replace("/", "."),
            function_at(source(path), made["start_pos"][0]),
            "cosmic-ray",
            result["test_outcome"] in _KILLED,
            result["diff"],
        )


def function_at(source: str, line: int) -> str:
    """Return the qualified name of the function, or else the class, that a line belongs to.

    A function in a function belongs to the outer one, as in mutmut.
    """
    names: list[str] = []
    body: list[ast.stmt] = ast.parse(source).body
    while body:
        node = body.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first <= line <= (node.end_lineno or line):
                names.append(node.name)
                body = node.body if isinstance(node, ast.ClassDef) else []
    return ".".join(names)


def mutation(diff: str) -> str:
    """Return the tokens that a diff changes, such as `== -> is`."""
    was, became = _side(diff, "-"), _side(diff, "+")
    changed = SequenceMatcher(None, _texts(was), _texts(became), autojunk=False).get_opcodes()
    return "; ".join(
        # What is only added says nothing without the token before which it is.
        f"{_part(was, i, j + (i == j))} -> {_part(became, k, m + (i == j))}"
        for tag, i, j, k, m in changed
        if tag != "equal"
    )


def keys(survivors: Iterable[Mutant]) -> set[tuple[str, str]]:
    """Return where each survivor is, and its mutation with the number of places if there are more.

    So a mutation that survives at a second place of a function has no reason by the first one.
    """
    places: dict[tuple[str, str], set[str]] = defaultdict(set)
    for mutant in survivors:
        # The tools leave different spaces between the same tokens.
        sides = (" ".join(_texts(_side(mutant.diff, sign))) for sign in "-+")
        places[mutant.where, mutation(mutant.diff)].add("\n".join(sides))
    return {
        (where, change if len(found) == 1 else f"{change} ({len(found)} places)")
        for (where, change), found in places.items()
    }


def _side(diff: str, sign: str) -> list[re.Match[str]]:
    """Return the tokens of the lines that were removed, or added."""
    lines = (line for line in diff.splitlines() if line[:1] == sign and line[:3] != sign * 3)
    return [*_TOKEN.finditer(" ".join(line[1:].strip() for line in lines))]


def _texts(tokens: list[re.Match[str]]) -> list[str]:
    return [token[0] for token in tokens]


def _part(tokens: list[re.Match[str]], start: int, stop: int) -> str:
    part = tokens[start:stop]
    return part[0].string[part[0].start() : part[-1].end()] if part else "nothing"
