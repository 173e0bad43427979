"""Targets of alerts: mail, chat, webhook, or whatever else apprise reaches."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Iterator

from apprise import Apprise, NotifyBase, NotifyType

from cryptobot.alert_settings import Target
from cryptobot.decisions.notification import DeliveryError
from cryptobot.storage.database import Document

_TYPES = {"info": NotifyType.INFO, "warning": NotifyType.WARNING, "critical": NotifyType.FAILURE}
_LIBRARIES = ("apprise", "urllib3", "oauthlib", "requests_oauthlib")
_STATUS = re.compile(r"error=(\d{3})\b")


class AppriseChannel:
    """A target under its name; its address appears nowhere."""

    def __init__(self, name: str, target: Target) -> None:
        self.name = name
        self.min_severity = target.min_severity
        self._plugin = Apprise.instantiate(target.url.get_secret_value())

    @property
    def usable(self) -> bool:
        """Whether apprise understands the address."""
        return isinstance(self._plugin, NotifyBase)

    def send(self, alert: Document) -> None:
        """Send one alert as title and text; raises :class:`DeliveryError`."""
        if not isinstance(self._plugin, NotifyBase):
            raise DeliveryError("its address is none that apprise understands; see CRYPTOBOT_ALERT_TARGETS")
        severity, raised = alert["severity"], f"{alert['created_at']:%Y-%m-%d %H:%M:%S} UTC"
        with _overheard() as said:
            try:
                taken = self._plugin.notify(
                    title=f"{severity.upper()}: {alert['title']}",
                    body=f"{alert['message']}\n\n{alert['kind']}, {raised}",
                    notify_type=_TYPES[severity],
                )
            except Exception as error:  # of whichever plug-in; its words may hold the address
                raise DeliveryError(f"it cannot be reached ({type(error).__name__})") from None
        if not taken:
            status = _STATUS.search(" ".join(said))
            raise DeliveryError(f"it answered with status {status[1]}" if status else "it did not answer")


class _Listener(logging.Handler):
    """Takes what the libraries log out of the log, because it holds addresses, and keeps it by thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard = threading.local()
        for name in _LIBRARIES:
            library = logging.getLogger(name)
            library.propagate = False
            library.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        said: list[str] | None = getattr(self.heard, "said", None)
        if said is not None:
            said.append(record.getMessage())


_LISTENER = _Listener()


@contextlib.contextmanager
def _overheard() -> Iterator[list[str]]:
    """Yield what the libraries log in this thread."""
    said: list[str] = []
    _LISTENER.heard.said = said
    try:
        yield said
    finally:
        _LISTENER.heard.said = None
