"""The mutants that the tools print: each is found, in its function, with what was changed."""

from __future__ import annotations

import json

import pytest

from .mutants import Mutant, by_cosmic_ray, by_mutmut, function_at, keys, mutation

MUTMUT_RESULTS = """\
    plugchat_async._pairing.xǁPairingǁ__init____mutmut_9: survived
    plugchat_async._pairing.xǁPairingǁ_end__mutmut_2: timeout
    plugchat_async._stream.x_rounds__mutmut_1: killed
    plugchat_async._http.calls.x__may_pass__mutmut_3: no tests
"""
MUTMUT_SHOW = """\
# plugchat_async._pairing.xǁPairingǁ__init____mutmut_9: survived
--- plugchat_async/_pairing.py
+++ plugchat_async/_pairing.py
@@ -16,7 +16,7 @@
     self._status_interval = status_interval
     self._outcome: PairingOutcome | None = None
     self._qr: QRCode | None = None
-    self._is_over = False
+    self._is_over = None
     self._asked_at = 0.0
     self._step: anyio.CancelScope | None = None
     self._is_waited_for = False
"""
COSMIC_RAY_DIFF = """\
--- mutation diff ---
--- a/plugchat_async/_stream.py
+++ b/plugchat_async/_stream.py
@@ -39,7 +39,7 @@
         try:
             code, asked_at = await fetch(number, max_rounds)
         except AlreadyConnected as error:
-            error.round, error.after_scan = number, number > 1
+            error.round, error.after_scan = number, number != 1
             raise
         yield code
"""
SOURCE = '''\
"""A module."""

import functools

if functools:
    LIMIT = 1


@functools.total_ordering
class Stream:
    """A class."""

    size = 0

    def rounds(self):
        def fetch():
            return 1

        return fetch

    async def check(self):
        pass


def _host():
    pass
'''


def dumped(outcome: str, test_outcome: str | None, path: str, line: int) -> str:
    """Return a line of `cosmic-ray dump`, in which most of an output is left out."""
    work = {
        "job_id": "3b9e7de74777414fb11fab060ff2cc0d",
        "mutations": [
            {
                "module_path": path,
                "operator_name": "core/ReplaceComparisonOperator_Gt_NotEq",
                "occurrence": 0,
                "start_pos": [line, 59],
                "end_pos": [line, 60],
                "operator_args": {},
                "definition_name": "rounds",
            }
        ],
    }
    diff = None if test_outcome is None else COSMIC_RAY_DIFF
    result = {
        "worker_outcome": outcome,
        "output": "48 passed in 0.99s\n",
        "test_outcome": test_outcome,
        "diff": diff,
    }
    return json.dumps([work, result]) + "\n"


def test_mutmut_results_are_mutants() -> None:
    """A timeout is a kill; only survivors are shown."""
    shown = {
        "plugchat_async._pairing.xǁPairingǁ__init____mutmut_9": MUTMUT_SHOW,
        "plugchat_async._http.calls.x__may_pass__mutmut_3": MUTMUT_SHOW,
    }
    assert list(by_mutmut(MUTMUT_RESULTS, shown.__getitem__)) == [
        Mutant("_pairing", "Pairing.__init__", "mutmut", is_killed=False, diff=MUTMUT_SHOW),
        Mutant("_pairing", "Pairing._end", "mutmut", is_killed=True, diff=""),
        Mutant("_stream", "rounds", "mutmut", is_killed=True, diff=""),
        Mutant("_http.calls", "_may_pass", "mutmut", is_killed=False, diff=MUTMUT_SHOW),
    ]


def test_a_line_that_is_not_a_mutant_is_an_error() -> None:
    """A format that changed must not pass for a run without mutants."""
    with pytest.raises(ValueError, match="not a mutant of mutmut: 17 mutants"):
        list(by_mutmut("17 mutants", str))


def test_a_cosmic_ray_dump_is_mutants() -> None:
    """In their functions, without those that were filtered or could not be made."""
    stream, package = "plugchat_async/_stream.py", "plugchat_async/_http/__init__.py"
    dump = (
        dumped("skipped", None, stream, 15)
        + dumped("no-test", None, stream, 15)
        + dumped("normal", "survived", stream, 15)
        + dumped("normal", "killed", package, 5)
    )
    sources = {stream: SOURCE, package: SOURCE}
    mutants = list(by_cosmic_ray(dump, sources.__getitem__))
    assert mutants == [
        Mutant("_stream", "Stream.rounds", "cosmic-ray", is_killed=False, diff=COSMIC_RAY_DIFF),
        Mutant("_http", "", "cosmic-ray", is_killed=True, diff=COSMIC_RAY_DIFF),
    ]
    assert [mutant.where for mutant in mutants] == ["_stream.Stream.rounds", "_http"]


@pytest.mark.parametrize(
    ("line", "function"),
    [
        pytest.param("    LIMIT = 1", "", id="module"),
        pytest.param("@functools.total_ordering", "Stream", id="decorator"),
        pytest.param("    size = 0", "Stream", id="class"),
        pytest.param("    def rounds(self):", "Stream.rounds", id="method"),
        pytest.param("            return 1", "Stream.rounds", id="function in a method"),
        pytest.param("    async def check(self):", "Stream.check", id="async method"),
        pytest.param("def _host():", "_host", id="function"),
    ],
)
def test_a_line_belongs_to_a_function(line: str, function: str) -> None:
    """To the outermost one, or else to a class or to the module."""
    assert function_at(SOURCE, SOURCE.splitlines().index(line) + 1) == function


@pytest.mark.parametrize(
    ("was", "became", "change"),
    [
        ("if number == 1:", "if number <= 1:", "== -> <="),
        ("if retries == 0:", "if retries is 0:", "== -> is"),
        ("case dict() if depth < LIMIT:", "case dict() if depth is not LIMIT:", "< -> is not"),
        ("if TYPE_CHECKING:", "if not TYPE_CHECKING:", "TYPE_CHECKING -> not TYPE_CHECKING"),
        ("if not found:", "if found:", "not -> nothing"),
        ("asked_at = 0.0", "asked_at = -1.0", "0.0 -> -1.0"),
        ("run(clients[-1])", "run(clients[- 0])", "1 -> 0"),
        ("dataclass(frozen=True, slots=True)", "dataclass(frozen=True, slots=False)",
         "slots=True -> slots=False"),
        ('get("Retry-After")', 'get("RETRY-AFTER")', '"Retry-After" -> "RETRY-AFTER"'),
        (r"""text or "\"'" """, """text or "XXXX" """, r'''"\"'" -> "XXXX"'''),
        ("a == 1 or b == 2", "a != 1 or b != 2", "== -> !=; == -> !="),
    ],
)  # fmt: skip
def test_a_mutation_is_the_tokens_that_changed(was: str, became: str, change: str) -> None:
    """Whatever else the line has, so that an edit of the line leaves it unchanged."""
    for line in ("{}", "before, {}, after"):
        assert mutation(f"-    {line.format(was)}\n+    {line.format(became)}\n") == change


@pytest.mark.parametrize(
    ("diff", "change"),
    [
        ("-    return\n+    return None\n", "nothing -> None"),
        ("-    sleep=anyio.sleep,\n", "sleep=anyio.sleep, -> nothing"),
        ("     match x:\n-        case _:\n-            pass\n", "case _: pass -> nothing"),
        (COSMIC_RAY_DIFF, "> -> !="),
        (MUTMUT_SHOW, "False -> None"),
    ],
)
def test_the_lines_of_a_diff_are_one_mutation(diff: str, change: str) -> None:
    """Without its head and the lines around; a side may have none."""
    assert mutation(diff) == change


def survivor(was: str, became: str, tool: str = "mutmut") -> Mutant:
    """Return a mutant of a function that no test notices."""
    return Mutant("_hub", "restart", tool, is_killed=False, diff=f"-    {was}\n+    {became}\n")


def test_a_mutation_that_both_tools_make_has_one_key() -> None:
    """Whatever spaces they leave."""
    survivors = [
        survivor("run(clients[-1])", "run(clients[-2])"),
        survivor("run(clients[-1])", "run(clients[- 2])", "cosmic-ray"),
    ]
    assert keys(survivors) == {("_hub.restart", "1 -> 2")}


def test_a_mutation_at_two_places_of_a_function_has_another_key() -> None:
    """So that one that survives later needs a reason."""
    survivors = [
        survivor("self.is_over = False", "self.is_over = None"),
        survivor("self.is_closed = False", "self.is_closed = None"),
    ]
    assert keys(survivors) == {("_hub.restart", "False -> None (2 places)")}
