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
from ._models import InstanceStatus, QRCode, QRImage
from ._pairing import Pairing, PairingOutcome
from ._version import __version__

__all__ = [
    "AlreadyConnected",
    "AsyncPlugChat",
    "AuthenticationError",
    "InstanceNotFound",
    "InstanceStatus",
    "NetworkError",
    "Pairing",
    "PairingOutcome",
    "PasskeyRequired",
    "PlugChatError",
    "QRCode",
    "QRImage",
    "QRNotReady",
    "RateLimited",
    "RequestTimeout",
    "ResponseError",
    "ServerError",
    "SubscriptionRequired",
    "UnexpectedRedirect",
    "UnexpectedResponse",
    "__version__",
]
