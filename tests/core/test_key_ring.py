"""The ring: what stands in it, and what it is at a moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flask_secureauth.core.key_ring import ACCEPTED_EARLY, KeyRing, KeySet, at_moment
from flask_secureauth.core.keys import InvalidKey, Key, load_key
from tests.core.conftest import OTHER_SECRET, SECRET, every_asymmetric

NOW = 1_800_000_000


def test_ring_signs_with_its_first_key_and_finds_all() -> None:
    new, old = load_key(SECRET), load_key(OTHER_SECRET)
    ring = KeyRing(iter([new, old]))

    assert ring.signing is new
    assert ring.find(old.kid) is old


@pytest.mark.parametrize("kid", ["", "unknown", "../../dev/null", None, 5, ["a"], {}, 1.0])
def test_ring_finds_no_other_key(kid: object) -> None:
    """J4 and J20."""
    assert KeyRing([load_key(SECRET)]).find(kid) is None


def test_empty_ring_is_refused() -> None:
    with pytest.raises(InvalidKey, match="empty"):
        KeyRing([])


def test_ring_with_a_public_first_key_is_refused(pems: dict[str, tuple[str, str]]) -> None:
    with pytest.raises(InvalidKey, match="the first key signs"):
        KeyRing([load_key(pems["ES256"][1]), load_key(pems["EdDSA"][0])])


@every_asymmetric
def test_ring_of_secrets_and_pems_is_refused(pems: dict[str, tuple[str, str]], algorithm: str) -> None:
    """J2, RFC 8725 section 2.1: the public key would be an HMAC secret that everybody has."""
    for pem in pems[algorithm]:
        with pytest.raises(InvalidKey, match="never share a ring"):
            KeyRing([load_key(SECRET), load_key(pem)])


def test_ring_of_several_asymmetric_algorithms_is_allowed(pems: dict[str, tuple[str, str]]) -> None:
    ring = KeyRing([load_key(pems["ES256"][0]), load_key(pems["EdDSA"][1]), load_key(pems["PS256"][1])])

    assert [key.algorithm for key in ring.keys] == ["ES256", "EdDSA", "PS256"]


def test_ring_with_one_kid_twice_is_refused() -> None:
    """Which key a token names would depend on the order."""
    with pytest.raises(InvalidKey, match="same kid"):
        KeyRing([load_key({"key": SECRET, "kid": "a"}), load_key({"key": OTHER_SECRET, "kid": "a"})])
    with pytest.raises(InvalidKey, match="same kid"):
        KeyRing([load_key(SECRET), load_key(SECRET)])


def test_pending_key_is_known_and_not_found() -> None:
    """J20: published, and not accepted."""
    now, soon = load_key(SECRET), load_key(OTHER_SECRET)
    ring = KeyRing([now], pending=[soon])

    assert ring.pending == (soon,)
    assert ring.find(soon.kid) is None


def test_pending_keys_obey_the_rules_of_the_ring(pems: dict[str, tuple[str, str]]) -> None:
    with pytest.raises(InvalidKey, match="never share a ring"):
        KeyRing([load_key(SECRET)], pending=[load_key(pems["ES256"][0])])
    with pytest.raises(InvalidKey, match="same kid"):
        KeyRing([load_key(SECRET)], pending=[load_key(SECRET)])


def test_set_of_public_keys_needs_none_that_signs(pems: dict[str, tuple[str, str]]) -> None:
    public = load_key(pems["ES256"][1])

    assert KeySet([public]).find(public.kid) is public
    assert KeySet([]).find(public.kid) is None


def test_ring_is_its_own_source() -> None:
    ring = KeyRing([load_key(SECRET)])

    assert ring.ring(0) is ring
    assert ring.ring(NOW) is ring


def _key(kid: str, signs_from: int) -> Key:
    return replace(load_key({"key": SECRET, "kid": kid}), signs_from=signs_from)


OLD, YOUNG, NEXT = _key("old", NOW - 2000), _key("young", NOW - 1000), _key("next", NOW + 1000)


@pytest.mark.parametrize(
    ("after", "accepted", "pending"),
    [
        (-10_000, ["old"], ["next", "young"]),
        (-2000, ["old"], ["next", "young"]),
        (-1001 - ACCEPTED_EARLY, ["old"], ["next", "young"]),
        (-1000 - ACCEPTED_EARLY, ["old", "young"], ["next"]),
        (-1001, ["old", "young"], ["next"]),
        (-1000, ["young", "old"], ["next"]),
        (0, ["young", "old"], ["next"]),
        (999 - ACCEPTED_EARLY, ["young", "old"], ["next"]),
        (1000 - ACCEPTED_EARLY, ["young", "next", "old"], []),
        (999.999, ["young", "next", "old"], []),
        (1000, ["next", "young", "old"], []),
        (10**9, ["next", "young", "old"], []),
    ],
)
@pytest.mark.parametrize("order", [(OLD, YOUNG, NEXT), (NEXT, OLD, YOUNG)], ids=["by time", "any order"])
def test_newest_key_whose_time_has_come_signs(
    order: tuple[Key, ...], after: float, accepted: list[str], pending: list[str]
) -> None:
    """A key is accepted a minute before it signs, since the clock of whoever signs may be ahead of ours."""
    found = at_moment(order, NOW + after)

    assert [[key.kid for key in keys] for keys in found] == [accepted, pending]


def test_of_two_keys_at_a_time_the_latter_signs() -> None:
    """Somebody who replaces a stolen key is quick."""
    first, second, third = (_key(kid, NOW) for kid in ("first", "second", "third"))

    assert at_moment([first, second, third], NOW) == ((third, second, first), ())
    assert at_moment([first, second, third], NOW - 1000) == ((first,), (third, second))
