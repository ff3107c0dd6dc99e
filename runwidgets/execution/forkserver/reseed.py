"""New seeds for random generators that two forks of one process must not share.

In the child these are seeded again: those of `random` and NumPy, every other one that seeded itself while
modules were imported, and PyTorch's.
"""

import gc
import random
import secrets
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SEED_BITS = 64
"""A seed with more bits was taken from the system: nobody types such a number."""


class Generators:
    """Random generators that seeded themselves before the fork."""

    def __init__(self) -> None:
        self._python: weakref.WeakSet[random.Random] = weakref.WeakSet()
        self._numpy: list[Any] = []

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Record the generators of `random` that seed themselves in the block."""
        seed = random.Random.seed
        generators = self._python

        def recording_seed(self: random.Random, a: Any = None, version: int = 2) -> None:
            seed(self, a, version)
            (generators.add if a is None else generators.discard)(self)

        random.Random.seed = recording_seed  # type: ignore[method-assign]
        try:
            yield
        finally:
            random.Random.seed = seed  # type: ignore[method-assign]

    def find(self) -> None:
        """Find NumPy's generators that seeded themselves; called once, after all imports."""
        if (numpy := sys.modules.get("numpy.random")) is None:
            return
        kinds = (numpy.Generator, numpy.RandomState)
        for each in gc.get_objects():
            if isinstance(each, kinds):
                seed = getattr(each._bit_generator, "_seed_seq", None)
                entropy = getattr(seed, "entropy", None)
                if isinstance(entropy, int) and entropy.bit_length() > SEED_BITS:
                    self._numpy.append(each)

    def renew(self) -> None:
        """Seed all of them again; called in the child."""
        random.seed()
        for generator in self._python:
            generator.seed()
        if (numpy := sys.modules.get("numpy.random")) is not None:
            numpy.seed()
        for generator in self._numpy:
            bits = generator._bit_generator
            bits.state = type(bits)().state
        if (torch := sys.modules.get("torch")) is not None:
            torch.manual_seed(secrets.randbits(63))
