"""The command `plugchat`; needs the extra `[cli]`."""

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    # Imports are inside: Ctrl-C during one at the top would show a traceback.
    try:
        from ._signals import leave_on_signals

        leave_on_signals()
        from ._process import run

        code = run()
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)
