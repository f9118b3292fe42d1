"""Broken files out of whole ones: bytes and a seeded random generator in, other bytes out."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from random import Random
from typing import Any

Change = Callable[[bytes, Random], bytes]

FRAGMENTS = [
    *(b'"', b"'", b",", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\n\n", b";", b":", b"=", b"#", b"\\"),
    *(b"[", b"]", b"{", b"}", b"[[", b"\x00", b"\x1b[31m", b"\x9b2J", b"\x07", b"\x7f", b"[/red]"),
    *(b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xff\xfe"),
    *(b"\\ud800", b"\\udfff", b"\\ud83d\\ude00", b"\\u0000", b"NaN", b"-Infinity", b"1e999"),
    *(b"null", b"true", b"-0", b"9" * 400, b"9" * 5000, b"1e-400", b"0x10", b"''", b'""', b'"""'),
    *("\u2028".encode(), "\u202e".encode(), "\ufeff".encode(), "각".encode(), "e\u0301".encode()),
    *(b"-DOCSTART-", b" O\n", b"\tB-\n", b"B-PER", b"I-", b"E-LOC", b"# id = ", b"1979-05-27"),
    *(b"text", b"label", b"entities", b"answers", b"is_impossible", b'"id": 1, "id": 2, '),
]
"""What the readers treat specially, or should not stumble over."""

VALUES: list[Any] = [
    *(None, True, "", " ", "\x00", "\ud800", "[red]", "\x1b[2J", "a\nb", "x" * 10_000, "각", "B-"),
    *(0, -1, 1, 10**30, 10**400, 0.5, 1e308, float("nan"), float("inf"), -(2**63), "1e999", "-0"),
    *([], [[]], ["a"], [None], [[1, "x"]], {}, {"a": 1}, {"start": 0, "end": 1, "label": "X"}),
]
"""Values of JSON in the place of others."""


def mutate(data: bytes, random: Random) -> bytes:
    """One to four changes, one after another."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        data = random.choice(CHANGES)(data, random)
    return data


def _place(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + int(random.paretovariate(0.6)))


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(data), random.choice((1, 1, 2, 8)))):
        changed[random.randrange(len(data))] = random.randrange(256)
    return bytes(changed)


def _drop(data: bytes, random: Random) -> bytes:
    start, end = _place(data, random)
    return data[:start] + data[end:]


def _repeat(data: bytes, random: Random) -> bytes:
    start, end = _place(data, random)
    times = random.choice((1, 1, 2, 50)) if end - start < 2_000 else 1
    return data[:end] + data[start:end] * times + data[end:]


def _move(data: bytes, random: Random) -> bytes:
    start, end = _place(data, random)
    rest = data[:start] + data[end:]
    to = random.randint(0, len(rest))
    return rest[:to] + data[start:end] + rest[to:]


def _insert(data: bytes, random: Random) -> bytes:
    start, end = _place(data, random)
    kept = data[end:] if random.random() < 0.3 else data[start:]
    return data[:start] + random.choice(FRAGMENTS) + kept


def _nest(data: bytes, random: Random) -> bytes:
    start, _ = _place(data, random)
    depth = random.choice((20, 200, 500, 900, 990, 5_000, 100_000))
    opened, closed = random.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"[[", b"]]")))
    return data[:start] + opened * depth + b"1" + closed * depth + data[start:]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randint(0, len(data))]


def _swap_lines(data: bytes, random: Random) -> bytes:
    lines = data.split(b"\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _rewrite_ends(data: bytes, random: Random) -> bytes:
    return data.replace(b"\n", random.choice((b"\r", b"\r\n", b"\n\r", b"\x0b", b"\x85")))


def _recode(data: bytes, random: Random) -> bytes:
    encoding = random.choice(("utf-16", "utf-16-be", "utf-32", "cp949", "latin-1", "utf-7"))
    return data.decode("utf-8", "replace").encode(encoding, "replace")


def _zip(data: bytes, random: Random) -> bytes:
    packed = gzip.compress(data, 1)
    return packed if random.random() < 0.5 else _flip(packed, random)


def _replace_value(data: bytes, random: Random) -> bytes:
    """Another value, or a key more, somewhere in JSON or in one of its lines."""
    try:
        return _dump(_changed(json.loads(data), random), random)
    except (ValueError, RecursionError):
        lines = data.split(b"\n")
    index = random.randrange(len(lines))
    try:
        lines[index] = _dump(_changed(json.loads(lines[index]), random), random)
    except (ValueError, RecursionError):
        return _insert(data, random)
    return b"\n".join(lines)


def _dump(value: Any, random: Random) -> bytes:
    raw = random.random() < 0.5
    return json.dumps(value, ensure_ascii=not raw).encode("utf-8", "surrogatepass")


def _changed(value: Any, random: Random) -> Any:
    """A deep copy in which one value, found by walking down at random, is another."""
    inside = list(value.items()) if isinstance(value, dict) else []
    inside = list(enumerate(value)) if isinstance(value, list) else inside
    if not inside or random.random() < 0.15:
        return random.choice(VALUES)
    chosen, _ = random.choice(inside)
    if random.random() < 0.1:
        kept = [(key, one) for key, one in inside if key != chosen]
        return dict(kept) if isinstance(value, dict) else [one for _, one in kept]
    copy = [(key, _changed(one, random) if key == chosen else one) for key, one in inside]
    return dict(copy) if isinstance(value, dict) else [one for _, one in copy]


CHANGES: list[Change] = [
    *(_flip, _drop, _repeat, _move, _insert, _insert, _insert, _cut, _swap_lines, _nest),
    *(_rewrite_ends, _recode, _zip, _replace_value, _replace_value, _replace_value),
]


def random_parquet(random: Random) -> bytes:
    """A whole Parquet file with columns of random names, types and values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = random.choice((0, 1, 5, 2_000))
    names = random.sample(["text", "label", "entities", "tokens", "id", "context", "", "x"], 4)
    columns = {name: pa.array([_cell(random)] * count) for name in names[: random.randint(0, 4)]}
    columns |= {name: _column(random, count) for name in names[:2]}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def _cell(random: Random) -> Any:
    fitting = [
        None,
        True,
        "a good film",
        "good",
        b"\xff",
        1,
        0.5,
        float("nan"),
        -(2**63),
        "x" * 999,
    ]
    return random.choice([*fitting, [1, 2], ["a"], [], {"text": ["a"]}, [{"start": 0, "end": 1}]])


def _column(random: Random, count: int) -> Any:
    import pyarrow as pa

    kinds = [
        (pa.timestamp("us"), 2**62),
        (pa.timestamp("ns"), 1),
        (pa.date32(), 2**30),
        (pa.time64("us"), 86_399_000_000),
        (pa.duration("s"), 2**62),
        (pa.binary(), b"\xff\x00"),
        (pa.float16(), 0.5),
        (pa.null(), None),
        (pa.uint64(), 2**64 - 1),
        (pa.large_string(), "good"),
        (pa.list_(pa.timestamp("us")), [2**62]),
    ]
    kind, value = random.choice(kinds)
    plain = pa.int64() if isinstance(value, int) and value < 2**63 else None
    if plain is not None and not pa.types.is_date32(kind):
        return pa.array([value] * count, plain).cast(kind)
    return (
        pa.array([value] * count, pa.int32()).cast(kind)
        if plain
        else pa.array([value] * count, kind)
    )
