"""Stored states of facts as another build would have stored them: the same values, lying elsewhere (car/layout.h, car/pack.h)."""
import collections
import struct

Leaf = collections.namedtuple("Leaf", "name kind at size most dims")
Layout = collections.namedtuple("Layout", "head size leaves")


def read(text):
    head, *lines = text.strip().split("\n")
    *head, size = head.split()
    leaves = []
    for name, kind, at, length, most, *dims in (line.split() for line in lines):
        leaves.append(Leaf(name, kind, int(at), int(length), int(most), [tuple(map(int, d.split("*"))) for d in dims]))
    return Layout(head, int(size), leaves)


def write(layout):
    lines = [" ".join([*layout.head, str(layout.size)])]
    for leaf in layout.leaves:
        lines.append(" ".join([leaf.name, leaf.kind, str(leaf.at), str(leaf.size), str(leaf.most),
                               *(f"{n}*{stride}" for n, stride in leaf.dims)]))
    return "\n".join(lines) + "\n"


def another(layout, without=()):
    """As it might have been before: backwards, integers of 8 bytes, arrays a little longer, one value that is no more, and
    `without` some that came since."""
    at, leaves = 8, [Leaf("of_old", "f", 0, 8, 0, [])]
    for leaf in reversed(layout.leaves):
        if leaf.name in without:
            continue
        size = {"i": 8, "u": 8, "t": leaf.size + 3}.get(leaf.kind, leaf.size)
        stride, dims = size, []
        for n, _ in reversed(leaf.dims):
            dims.insert(0, (n + 1, stride))
            stride *= n + 1
        leaves.append(leaf._replace(at=at, size=size, dims=dims))
        at += stride
    return Layout(layout.head, (at + 7) // 8 * 8, leaves)


def unpack(packed, size):
    out, at = bytearray(), 0
    while len(out) < size:
        zeros, others = struct.unpack_from("<HH", packed, at)
        out += bytes(8 * zeros) + packed[at + 4:at + 4 + 8 * others]
        at += 4 + 8 * others
    return bytes(out)


def pack(state):
    words = [state[i:i + 8] for i in range(0, len(state), 8)]
    return b"".join(struct.pack("<HH", 0, len(words[i:i + 60000])) + b"".join(words[i:i + 60000]) for i in range(0, len(words), 60000))


def elements(leaf, dims=None, at=None):
    """Where each of it lies, by its place in the arrays."""
    dims, at = leaf.dims if dims is None else dims, leaf.at if at is None else at
    if not dims:
        return {(): at}
    (n, stride), *inner = dims
    return {(i, *key): place for i in range(n) for key, place in elements(leaf, inner, at + i * stride).items()}


def carry(state, of, to):
    """The bytes of a state of one layout in another that has room for all of it."""
    out, known = bytearray(to.size), {leaf.name: leaf for leaf in of.leaves}
    for leaf in to.leaves:
        if leaf.name not in known:
            out[leaf.at:leaf.at + leaf.size] = b"\xee" * leaf.size
            continue
        here = elements(leaf)
        for key, place in elements(known[leaf.name]).items():
            value = state[place:place + known[leaf.name].size]
            fill = b"\xff" if leaf.kind == "i" and value[-1] & 0x80 else b"\0"
            out[here[key]:here[key] + leaf.size] = value.ljust(leaf.size, fill)
    return bytes(out)


def store_as_another(site, vin, number, without=()):
    """What is stored of a vehicle, as of a build with another layout; `number` is that layout's."""
    own = site.sql("SELECT layout FROM fact_state WHERE vin = '%s'" % vin)
    of = read(site.sql(f"SELECT fields FROM fact_layout WHERE layout = {own}"))
    to = another(of, without)
    site.sql(f"INSERT INTO fact_layout (layout, fields) VALUES ({number}, '{write(to)}') ON CONFLICT DO NOTHING")
    for table, key in (("fact_state", "vin"), ("fact_checkpoint", "t_ms")):
        for row in site.sql(f"SELECT {key}, encode(state, 'hex') FROM {table} WHERE vin = '{vin}'").splitlines():
            which, state = row.split("|")
            moved = pack(carry(unpack(bytes.fromhex(state), of.size), of, to))
            site.sql(f"UPDATE {table} SET layout = {number}, state = decode('{moved.hex()}', 'hex') "
                     f"WHERE vin = '{vin}' AND {key}::text = '{which}'")


def store_as_unknown(site, vin, number):
    """As of a build from before layouts were told."""
    for table in ("fact_state", "fact_checkpoint"):
        site.sql(f"UPDATE {table} SET layout = {number} WHERE vin = '{vin}'")
