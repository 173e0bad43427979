"""One open page in a browser: what it shows now, and the updates that it is sent."""

from __future__ import annotations

from typing import Any

from dash import set_props

ComponentId = str | dict[str, str]


class Page:
    """Sends a page only what differs from what it shows already.

    Without a live connection (a browser that has no shared workers) updates are collected by
    Dash and answered when the callback returns. ``view`` names the store that tells what it shows.
    """

    def __init__(self, connection: Any, view: str = "view") -> None:
        self._connection = connection  # Dash's DashWebsocketCallback, or None
        self._view = view
        self._shown: dict[str, Any] = {}
        self._left = False

    @property
    def live(self) -> bool:
        """Whether updates reach the page as they are shown."""
        return self._connection is not None

    @property
    def over(self) -> bool:
        """Whether nothing more can or should be shown: the connection has ended, or the view was left."""
        return self._left or (self._connection is not None and self._connection.is_shutdown)

    def leave(self) -> None:
        """Show nothing more, not even what is being asked for: the page has gone on to another view."""
        self._left = True

    async def answers(self, within_seconds: float) -> bool:
        """Ask the page whether it is still open: connections are shared, and outlive their pages."""
        if self._connection is None:
            return True
        try:
            return await self._connection.get_prop(self._view, "data", timeout=within_seconds) is not None
        except TimeoutError:
            return False

    def show(self, component: ComponentId, **props: Any) -> None:
        """Set a component's properties, those that changed."""
        if self.over:
            return
        changed = {
            name: value
            for name, value in props.items()
            if self._shown.get(f"{component}.{name}", _NOTHING) != value
        }
        if changed:
            self._shown.update({f"{component}.{name}": value for name, value in changed.items()})
            set_props(component, changed)


_NOTHING = object()
