"""Link a WhatsApp number through PlugChat, from asyncio or trio."""

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
from ._version import __version__

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
