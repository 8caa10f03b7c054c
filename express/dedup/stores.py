"""Where it is kept which events have been completed, and which are being run: the contract."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum


class Claim(Enum):
    """What became of a claim."""

    OURS = 1  # to be run here, until its lease runs out
    DONE = 2  # completed within the window
    TAKEN = 3  # being run by somebody else


class Store(ABC):
    """Keys are 32 bytes. Each method is atomic for each key, raises OSError when the store cannot answer now, and may be tried again."""

    @abstractmethod
    async def start(self) -> None:
        """Opens. ConnectionFailed with one sentence."""

    @abstractmethod
    async def claim(self, keys: Sequence[bytes], lease: float) -> list[Claim]:
        """Claims what nobody has, for ``lease`` seconds; the answers in the order of the keys."""

    @abstractmethod
    async def renew(self, keys: Sequence[bytes], lease: float) -> None:
        """Extends claims that are still ours."""

    @abstractmethod
    async def complete(self, keys: Sequence[bytes], window: float) -> None:
        """From now on these are done, for ``window`` seconds."""

    @abstractmethod
    async def release(self, keys: Sequence[bytes]) -> None:
        """Gives claims back that are still ours."""

    @abstractmethod
    async def stop(self) -> None:
        """Closes. Never raises."""
