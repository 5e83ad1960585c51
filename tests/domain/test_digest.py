"""The canonical form of JSON is what its module says: RFC 8785's digits, as Python writes them."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belay.domain.digest import canonical_json

EXAMPLES = [
    # Bits of a double, as RFC 8785 (appendix B) writes it, as the ledger does.
    ("0000000000000000", "0", "0.0"),
    ("8000000000000000", "0", "-0.0"),
    ("0000000000000001", "5e-324", "5e-324"),
    ("8000000000000001", "-5e-324", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992", "9007199254740992.0"),
    ("c340000000000000", "-9007199254740992", "-9007199254740992.0"),
    ("4430000000000000", "295147905179352830000", "2.9514790517935283e+20"),
    ("44b52d02c7e14af5", "9.999999999999997e+22", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000", "9.999999999999997e+20"),
    ("444b1ae4d6e2ef4f", "999999999999999900000", "9.999999999999999e+20"),
    ("444b1ae4d6e2ef50", "1e+21", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7", "9.999999999999997e-07"),
    ("3eb0c6f7a0b5ed8d", "0.000001", "1e-06"),
    ("41b3de4355555553", "333333333.3333332", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333", "-3.3333333333333333e-06"),
    ("43143ff3c1cb0959", "1424953923781206.2", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "rfc", "ours"), EXAMPLES, ids=[bits for bits, *_ in EXAMPLES])
def test_a_number_has_the_digits_of_the_rfc_in_pythons_form(bits: str, rfc: str, ours: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_json(number) == ours
    assert float(rfc) == float(ours) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_to_the_same_double(number: float) -> None:
    assert struct.pack(">d", json.loads(canonical_json(number))) == struct.pack(">d", number)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_form(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"x": number})


def test_keys_are_in_the_order_of_their_code_points() -> None:
    """RFC 8785 sorts by UTF-16 code units, and would put the second first."""
    assert canonical_json({"\U0001f600": 1, "\ufb33": 2}) == '{"\ufb33":2,"\U0001f600":1}'


def test_strings_are_escaped_no_more_than_has_to_be() -> None:
    assert canonical_json("\u20ac$\u000f\nA'\u0042\"\\/") == '"\u20ac$\\u000f\\nA\'B\\"\\\\/"'
