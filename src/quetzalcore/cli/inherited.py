"""What a role is handed by whoever keeps it running: listening sockets, a name, and an ear for that it serves."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["Inherited"]

_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What came with the process; nothing of it where a role runs by itself.

    Parameters
    ----------
    instance : str
        The id under which a gateway reports itself; nobody else ever had it.
    fd, shared_fd, ready_fd : int or None
        Its own listening socket, the one that all instances share, and the pipe to say ``ready`` on.
    drain_s : float
        How long it still takes requests after it was asked to end.
    """

    instance: str = ""
    fd: int | None = None
    shared_fd: int | None = None
    ready_fd: int | None = None
    drain_s: float = 0.0

    @property
    def supervised(self) -> bool:
        """Whether somebody keeps it running, and tells apart a restart (SIGTERM) and the end (SIGINT)."""
        return self.ready_fd is not None

    @property
    def settle_s(self) -> float:
        """How long it waits for the last requests on connections that were taken already."""
        return _SETTLE_S if self.supervised or self.drain_s else 0.0

    def sockets(self) -> list[socket.socket]:
        """Take the listening sockets; children of this process do not get them."""
        numbers = [number for number in (self.fd, self.shared_fd) if number is not None]
        for number in (*numbers, *([] if self.ready_fd is None else [self.ready_fd])):
            os.set_inheritable(number, False)
        return [socket.socket(fileno=number) for number in numbers]

    def say_ready(self, notify_socket: str = "") -> None:
        """Tell the supervisor, or systemd, that the process serves; where nobody listens that is no error."""
        if self.ready_fd is not None:
            with suppress(OSError):
                os.write(self.ready_fd, b"ready\n")
                os.close(self.ready_fd)
        if notify_socket:
            name = f"\0{notify_socket[1:]}" if notify_socket.startswith("@") else notify_socket
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.sendto(b"READY=1", name)
