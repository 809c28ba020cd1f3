"""Where this host's platform keeps things, and the note that says which process runs it."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

import quetzalcore
from quetzalcore.errors import BadOutput, Where
from quetzalcore.settings import Settings

__all__ = ["HostFiles", "Running", "kept_secret", "kernels_folder"]

_START_TOLERANCE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A platform process: which one, since when, and where it answers."""

    pid: int
    started_at: float
    url: str
    master_url: str

    def alive(self) -> bool:
        """Tell whether this very process still runs; a reused pid does not count."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < _START_TOLERANCE_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFiles:
    """The folders and files under ``data_dir``."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> HostFiles:
        """Give them for these settings, making the folder, readable by its owner only.

        Raises
        ------
        BadOutput
            If the folder cannot be made or written to.
        """
        files = cls(root=settings.data_dir.expanduser().absolute())
        try:
            for folder in (files.root, files.run, files.logs, files.vms):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadOutput(
                f"the data folder cannot be made ({error.strerror})",
                hint="set QUETZAL_DATA_DIR to a folder that you may write to",
                where=Where(file=str(files.root)),
            ) from None
        return files

    @property
    def run(self) -> Path:
        """Sockets and notes of running processes."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log a service."""
        return self.root / "logs"

    @property
    def vms(self) -> Path:
        """The hypervisor's folders."""
        return self.root / "vms"

    @property
    def artifacts(self) -> Path:
        """The artifact store, unless another is set."""
        return self.root / "artifacts"

    @property
    def ledger_url(self) -> str:
        """The ledger, unless another is set."""
        return f"sqlite:///{self.root / 'ledger.sqlite'}"

    @property
    def credentials(self) -> Path:
        """The first administrator's name, password and key."""
        return self.root / "admin-credentials"

    def log(self, service: str) -> Path:
        """Give a service's log."""
        return self.logs / f"{service}.log"

    def running(self) -> Running | None:
        """Give the platform process that this folder's note names, if it still runs."""
        try:
            found = Running(**json.loads((self.run / "platform.json").read_text("utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found if found.alive() else None

    def note(self, url: str, master_url: str) -> Running:
        """Write down that the calling process runs the platform."""
        pid = os.getpid()
        running = Running(
            pid=pid, started_at=psutil.Process(pid).create_time(), url=url, master_url=master_url
        )
        draft = self.run / f"platform.json.{pid}"
        draft.write_text(json.dumps(asdict(running)), encoding="utf-8")
        draft.replace(self.run / "platform.json")
        return running

    def forget(self) -> None:
        """Remove the note."""
        (self.run / "platform.json").unlink(missing_ok=True)


def kept_secret(path: Path, given: str) -> str:
    """Give the secret that was set, or the random one that this host keeps, made when first asked for."""
    if given:
        return given
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())  # an empty secret after a power cut would be nobody's
        os.link(draft, path)  # whoever is first wins, and nobody sees half a secret
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text("utf-8")


def kernels_folder(settings: Settings) -> Path:
    """Give the folder of compiled kernels for this installation: they hold for its sources only."""
    installed = Path(quetzalcore.__file__).parent
    mark = hashlib.sha256(str(installed).encode()).hexdigest()[:12]
    return settings.kernels_dir.expanduser().absolute() / mark
