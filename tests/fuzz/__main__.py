"""Feed the decoder until it breaks: `nox -s fuzz`, with libFuzzer's own options."""

from __future__ import annotations

import importlib
import shlex
import sys

import atheris


def main() -> None:
    """Run until the time is over, or an input is found that breaks a promise."""
    with atheris.instrument_imports(include=["plugchat_async"]):
        decoder = importlib.import_module("decoder")
    # libFuzzer starts itself again to merge, by a line for the shell.
    program = shlex.join([sys.executable, sys.argv[0]])
    atheris.Setup([program, *sys.argv[1:]], decoder.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
