"""The seam to a cloud, and what its errors mean to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    MachineState,
    NoCapacity,
    ProviderRefused,
    ProviderUnreachable,
)
from quetzalcore.errors import QuetzalError

__all__ = ["TAGS", "Cloud", "Instance", "Wanted", "failure_of", "launch_failure_of"]

TAGS = "quetzalcore-"
"""Before the names of our tags: no cloud has more than dashes."""

_FULL = (
    *("InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientReservedInstance"),
    *("InstanceLimitExceeded", "VcpuLimitExceeded", "MaxSpotInstanceCountExceeded"),
    *("SpotMaxPriceTooLow", "InsufficientFreeAddressesInSubnet", "Unsupported: "),
    *("QUOTA_EXCEEDED", "quotaExceeded", "RESOURCE_POOL_EXHAUSTED", "stockout"),
    *("SkuNotAvailable", "QuotaExceeded", "AllocationFailed", "OverconstrainedAllocationRequest"),
    *("exceeding approved", "SubnetIsFull"),
)
_PASSING = (
    *("RequestLimitExceeded", "Throttling", "Unavailable", "InternalError", "InternalFailure"),
    *("rateLimitExceeded", "backendError", "TooManyRequests", "timed out"),
)
_SHOWN = 300
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An instance that is asked for; ``script`` runs on its first start."""

    name: str
    size: str
    script: str = field(repr=False)
    tags: Mapping[str, str]
    spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """An instance, whoever made it."""

    id: str
    tags: Mapping[str, str]
    state: MachineState
    address: str = ""


class Cloud(Protocol):
    """One account of a cloud; used by one thread at a time."""

    def create(self, wanted: Wanted) -> Instance:
        """Make an instance with its tags, whole or not at all; the same name twice makes one."""
        ...

    def instances(self) -> Sequence[Instance]:
        """Give the instances that are there, ours among them."""
        ...

    def remove(self, instance_id: str) -> None:
        """End an instance with its disk and its network interface; one that is gone is no error."""
        ...


def failure_of(error: Exception) -> QuetzalError:
    """Give what went wrong in our words."""
    text = _told(error)
    code = getattr(error, "http_code", None) or getattr(error, "code", None)
    passing = isinstance(error, OSError) and not isinstance(
        error, FileNotFoundError | PermissionError
    )
    if passing or any(word in text for word in _PASSING):
        return ProviderUnreachable(f"the cloud does not answer: {text}", hint="it is tried again")
    if any(word in text for word in _FULL):
        return NoCapacity(
            f"the cloud has no such machine for us now: {text}",
            hint="ask for another shape, later, or for a higher quota",
        )
    if isinstance(code, int) and code >= _SERVER_ERROR:
        return ProviderUnreachable(f"the cloud is in trouble: {text}", hint="it is tried again")
    return ProviderRefused(
        f"the cloud refuses: {text}", hint="check credentials, rights and the provider's file"
    )


def launch_failure_of(error: Exception) -> QuetzalError:
    """Give what went wrong with a launch: what is refused cannot be started."""
    failure = failure_of(error)
    if isinstance(failure, ProviderRefused):
        return LaunchFailed(failure.detail, hint=failure.hint)
    return failure


def _told(error: Exception) -> str:
    """Give an error's words, and the code that Google and Amazon put beside them."""
    parts = (getattr(error, "code", None), getattr(error, "value", None) or str(error))
    words = " ".join(str(part) for part in parts if part not in {None, ""})
    return " ".join((words or type(error).__name__).split())[:_SHOWN]
