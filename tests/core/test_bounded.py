"""A dictionary that does not grow for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask_secureauth.core.bounded import Bounded


def test_oldest_item_makes_room() -> None:
    held: Bounded[str, int] = Bounded(2)
    for number, key in enumerate("abc"):
        held.put(key, number)

    assert held == {"b": 1, "c": 2}


def test_key_that_is_there_takes_no_room() -> None:
    held: Bounded[str, int] = Bounded(2)
    held.put("a", 1)
    held.put("b", 2)
    held.put("a", 3)

    assert held == {"a": 3, "b": 2}


def test_drop_forgets_an_item_that_may_not_be_there() -> None:
    held: Bounded[str, int] = Bounded(2)
    held.put("a", 1)
    held.drop("a")
    held.drop("a")

    assert held == {}


def test_threads_that_write_at_once_keep_to_the_size() -> None:
    held: Bounded[tuple[int, int], int] = Bounded(10)
    start = Barrier(8)

    def write(thread: int) -> None:
        start.wait(30)
        for number in range(500):
            held.put((thread, number), number)
            held.drop((thread, number - 5))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))

    assert len(held) <= 10
