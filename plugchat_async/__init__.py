"""Link a WhatsApp number through PlugChat, from asyncio or trio."""

from ._version import __version__

# From `typing` it would take longer than all the rest here, and Ctrl-C shows a traceback meanwhile.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._client import AsyncPlugChat
    from ._errors import (
        AlreadyConnected,
        AuthenticationError,
        InstanceNotFound,
        NetworkError,
        PasskeyRequired,
        PlugChatError,
        QRNotReady,
        RateLimited,
        RequestTimeout,
        ResponseError,
        ServerError,
        SubscriptionRequired,
        UnexpectedRedirect,
        UnexpectedResponse,
    )
    from ._hub import PairingHub, TooManyWatchers, Watcher
    from ._models import Device, InstanceStatus, QRCode, QRImage
    from ._pairing import Pairing, PairingOutcome
    from ._pairing_state import (
        Connected,
        Expired,
        Failed,
        PairingEnd,
        PairingState,
        ShowingCode,
        Starting,
    )

__all__ = [
    "AlreadyConnected",
    "AsyncPlugChat",
    "AuthenticationError",
    "Connected",
    "Device",
    "Expired",
    "Failed",
    "InstanceNotFound",
    "InstanceStatus",
    "NetworkError",
    "Pairing",
    "PairingEnd",
    "PairingHub",
    "PairingOutcome",
    "PairingState",
    "PasskeyRequired",
    "PlugChatError",
    "QRCode",
    "QRImage",
    "QRNotReady",
    "RateLimited",
    "RequestTimeout",
    "ResponseError",
    "ServerError",
    "ShowingCode",
    "Starting",
    "SubscriptionRequired",
    "TooManyWatchers",
    "UnexpectedRedirect",
    "UnexpectedResponse",
    "Watcher",
    "__version__",
]

# In the order of what they import: an error needs neither httpx nor pydantic.
_MODULES = ("_errors", "_pairing", "_models", "_client", "_pairing_state", "_hub")


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the command's help needs none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    modules = (import_module(f".{module}", __name__) for module in _MODULES)
    value: object = next(vars(module)[name] for module in modules if name in vars(module))
    globals()[name] = value
    return value
