"""The listening sockets that a supervisor opens, keeps, and hands to whoever serves on them at the moment."""

from __future__ import annotations

import errno
import socket
import time

from quetzalcore.errors import BadParameter
from quetzalcore.ops.supervisor.plan import Handed, SupervisorPlan
from quetzalcore.ops.supervisor.slots import Role

__all__ = ["PlatformSockets", "listening"]

_BACKLOG = 2048
_PATIENCE_S = 5.0  # a supervisor that was killed leaves processes that die in this moment
_POLL_S = 0.05
_LOOPBACK = "127.0.0.1"


def listening(host: str, port: int, *, patience_s: float = _PATIENCE_S) -> socket.socket:
    """Open a listening socket; port 0 takes a free one.

    Raises
    ------
    BadParameter
        If the address cannot be had.
    """
    give_up_at = time.monotonic() + patience_s
    while True:
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            return _bound(family, address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= give_up_at:
                raise BadParameter(
                    f"{host}:{port} cannot be listened on ({error.strerror})",
                    hint="stop what listens there, or choose another address or port",
                ) from None
            time.sleep(_POLL_S)


class PlatformSockets:
    """One socket for each instance, one for the master, and the public one where instances share it.

    They outlive the processes that serve on them, so that who connects while one is replaced waits and is served.
    """

    def __init__(self, plan: SupervisorPlan) -> None:
        self._own: dict[str, socket.socket] = {}
        self._shared: socket.socket | None = None
        front = listening(plan.host, plan.port)
        self.port: int = front.getsockname()[1]
        if plan.shared:
            self._shared = front
        else:
            front.close()  # it is the balancer's
        self.url = _url(plan.host, self.port)
        self.master_url = ""
        self.master_port = plan.master_port
        if Role.MASTER in plan.commands:
            back = listening(plan.master_host, plan.master_port)
            self._own[Role.MASTER.value] = back
            self.master_port = back.getsockname()[1]
            self.master_url = _url(plan.master_host, self.master_port)

    def handed(self, slot: str, role: Role) -> Handed:
        """Give what a process of this slot inherits; an instance's socket is opened for its first one."""
        if role is Role.GATEWAY and slot not in self._own:
            self._own[slot] = listening(_LOOPBACK, 0)
        own = self._own.get(slot)
        shared = self._shared if role is Role.GATEWAY else None
        return Handed(
            own=None if own is None else own.fileno(),
            shared=None if shared is None else shared.fileno(),
        )

    def url_of(self, slot: str) -> str:
        """Give where a slot answers; nothing if it has no socket."""
        own = self._own.get(slot)
        return "" if own is None else _url(*own.getsockname()[:2])

    def forget(self, slot: str) -> None:
        """Close the socket of a slot that is no more."""
        own = self._own.pop(slot, None)
        if own is not None:
            own.close()

    def close(self) -> None:
        """Close all of them."""
        for slot in tuple(self._own):
            self.forget(slot)
        if self._shared is not None:
            self._shared.close()


def _bound(family: int, address: object) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)  # type: ignore[arg-type]  # as getaddrinfo gave it
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
