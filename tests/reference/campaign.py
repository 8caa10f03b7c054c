"""Many seeds in, how much was compared and every difference out: several processes, each with seeds of its own."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.reference import machines
from tests.reference.differential import Tally, compare

MACHINES_IN_A_CHUNK = 10


@dataclass
class Chunk:
    """What a range of seeds gave: for each difference its seed, its kind and its text."""

    tally: Tally = field(default_factory=Tally)
    differences: list[tuple[int, str, str]] = field(default_factory=list)


def run(first: int, pairs: int, inputs: int, processes: int) -> Iterator[Chunk]:
    """At least ``pairs`` comparisons, from the seed ``first`` on; the same ones whatever the number of processes."""
    per_chunk = MACHINES_IN_A_CHUNK * inputs
    chunks = ((first + number * MACHINES_IN_A_CHUNK, inputs) for number in range(-(-pairs // per_chunk)))
    if processes == 1:
        yield from map(_chunk, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(processes, _ignore_interrupts, maxtasksperchild=200) as pool:
        yield from pool.imap_unordered(_chunk, chunks)


def _ignore_interrupts() -> None:
    """Ctrl-C goes to the whole group of processes; the parent ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _chunk(task: tuple[int, int]) -> Chunk:
    first, inputs = task
    logging.getLogger("express").setLevel(logging.CRITICAL)  # defects of the engine are differences here
    chunk = Chunk()
    for seed in range(first, first + MACHINES_IN_A_CHUNK):
        for difference in compare(seed, chunk.tally, inputs):
            chunk.differences.append((seed, difference.what, str(difference)))
    return chunk


def known_features(seeds: int = 3_000) -> set[str]:
    """All that random machines are made of."""
    return set[str]().union(*(features for seed in range(seeds) for features in machines.case(seed, inputs=0).features.values()))
