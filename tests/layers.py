"""Layers of the package, from the top: the one place where their order is written down."""

from __future__ import annotations

from typing import NamedTuple


class Layer(NamedTuple):
    """Modules and subpackages side by side; each imports only from those after and below it."""

    name: str
    modules: tuple[str, ...]
    knows: str


LAYERS = [
    Layer("interfaces", ("__main__", "cli", "fastapi", "testing"), "how people meet it"),
    Layer("processes", ("redis",), "one session, whichever process shows it"),
    Layer("simulator", ("sandbox",), "a PlugChat without an account"),
    Layer("names", ("__init__",), "what people import"),
    Layer(
        "sessions",
        ("_hub", "_poller", "_driver", "_end_hook", "_session", "_pairing_state"),
        "one poller, many watchers",
    ),
    Layer("calls", ("_client",), "an endpoint, a method"),
    Layer(
        "rounds",
        ("_pairing", "_requests", "_rounds", "_stream", "_schedule"),
        "when the next code is due",
    ),
    Layer("exchange", ("_http",), "deadlines, attempts, connections, secrets"),
    Layer("protocol", ("_wire",), "what to ask, what a response means"),
    Layer(
        "values",
        ("_models", "_image_reader", "_image_formats", "_render", "_errors"),
        "models, drawings, errors",
    ),
    Layer(
        "foundations",
        ("_arguments", "_environment", "_threads", "_background", "_extras", "_version"),
        "arguments, variables, threads, extras",
    ),
]

# The command's subpackages, from the top: what to do, how to get there, how to say it.
ROOMS = (
    *("_process", "_application", "_commands", "_web", "_access", "_terminal"),
    *("_output", "_texts", "_event_loop", "_signals"),
)

# Doors: who may import from a subpackage, and what a subpackage may import.
ENTERED_BY = {"_http": {"_client"}, "sandbox": {"cli", "testing"}}
# It knows the SDK by its public names; how an extra is installed is not part of that.
ENTERS = {"sandbox": {"__init__", "_extras"}}


def table() -> str:
    """Write the layers as a table of Markdown."""
    rows = [
        f"| {layer.name} | {', '.join(f'`{module}`' for module in layer.modules)} | {layer.knows} |"
        for layer in LAYERS
    ]
    return "\n".join(["| layer | modules | what it knows |", "|---|---|---|", *rows])
