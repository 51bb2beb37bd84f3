#!/usr/bin/env python3
"""Write what follows from the tables of this folder:

    proto/obd_pids.csv + obd_overlay.csv -> proto/signals.csv (rows are only ever appended)
    proto/signals.csv                    -> proto/signals_table.inc (rows and a perfect hash)
    proto/obd_pids.csv + signals.csv     -> vehicle/obd/pids_table.inc (how bytes become signals)
    vehicle/deadbands.csv + signals.csv  -> vehicle/deadband_table.inc (when a value is worth telling)

`tables.py` writes them; `tables.py --check` exits 1 when a committed file is not what it would write.
"""
import csv
import io
import re
import sys
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIDS = ROOT / "proto/obd_pids.csv"
OVERLAY = ROOT / "proto/obd_overlay.csv"
SIGNALS = ROOT / "proto/signals.csv"
SIGNALS_INC = ROOT / "proto/signals_table.inc"
PIDS_INC = ROOT / "vehicle/obd/pids_table.inc"
DEADBANDS = ROOT / "vehicle/deadbands.csv"
DEADBANDS_INC = ROOT / "vehicle/deadband_table.inc"

# What to multiply an OBD value by to have it in the unit VSS wants.
CONVERT = {("mA", "A"): Fraction(1, 1000), ("km", "m"): Fraction(1000), ("s", "h"): Fraction(1, 3600)}
SAME_UNIT = {("%", "percent"), ("degC", "Celsius"), ("deg", "degrees")}
LETTERS = "ABCDEFGHIJKLM"


class Formula:
    """(raw * multiply + add) / divide, raw = big-endian bytes >> shift & mask."""

    def __init__(self, first, width, signed=False, shift=0, mask=0, scale=Fraction(1), offset=Fraction(0)):
        self.first, self.width, self.signed = first, width, signed
        self.shift, self.mask = shift, mask
        self.scale, self.offset = scale, offset

    def converted(self, factor):
        self.scale *= factor
        self.offset *= factor
        return self

    def numbers(self):
        """Three integers: every intermediate value is an exact double and only the division rounds."""
        divide = self.scale.denominator
        while (self.offset * divide).denominator != 1:
            divide *= self.offset.denominator
        return int(self.scale * divide), int(self.offset * divide), divide

    def limits(self):
        if self.mask:
            low, high = 0, self.mask
        elif self.signed:
            low, high = -(1 << 8 * self.width - 1), (1 << 8 * self.width - 1) - 1
        else:
            low, high = 0, (1 << 8 * self.width) - 1
        return low * self.scale + self.offset, high * self.scale + self.offset


def chain(first, width):
    """A, A*256+B, ((A*256+B)*256+C)*256+D as the table writes them."""
    text = LETTERS[first]
    for i in range(1, width):
        text = f"({text})*256+{LETTERS[first + i]}" if i > 1 else f"{text}*256+{LETTERS[first + i]}"
    return text


RAWS = {chain(first, width): (first, width) for first in range(len(LETTERS)) for width in (1, 2, 4)
        if first + width <= len(LETTERS)}
NUMBER = r"[0-9]+(?:\.[0-9]+)?"


def parse_formula(text):
    """A Formula, or None where the row is a structure (bitmap, DTC)."""
    if text.startswith("bitmap") or text.startswith("DTC("):
        return None
    if text.startswith("enum(A)"):
        return Formula(0, 1)
    bits = re.fullmatch(r"\(([A-M])>>([0-7])\)&(\d+)|([A-M])&(0x[0-9A-F]+|\d+)", text)
    if bits:
        letter, shift, mask = (bits[1], int(bits[2]), bits[3]) if bits[1] else (bits[4], 0, bits[5])
        return Formula(LETTERS.index(letter), 1, shift=shift, mask=int(mask, 0))
    for raw in sorted(RAWS, key=len, reverse=True):
        for form, signed in ((f"s16({raw})", True), (f"({raw})", False), (raw, False)):
            if not text.startswith(form):
                continue
            rest = re.fullmatch(rf"((?:[*/]{NUMBER})*)([+-]{NUMBER})?", text[len(form):])
            if rest and (form == raw or not rest[1] or form[0] in "(s"):
                scale = Fraction(1)
                for op, n in re.findall(rf"([*/])({NUMBER})", rest[1]):
                    scale = scale * Fraction(n) if op == "*" else scale / Fraction(n)
                first, width = RAWS[raw]
                if signed and width != 2:
                    raise SystemExit(f"s16 of {width} bytes: {text}")
                return Formula(first, width, signed, scale=scale, offset=Fraction(rest[2] or 0))
    raise SystemExit(f"formula not understood: {text}")


class Row:
    """One line of obd_pids.csv with its path, unit and formula."""

    def __init__(self, line, overlay):
        self.pid, self.name, self.bytes = int(line["pid"], 16), line["name"], int(line["bytes"])
        self.text = line["formula"]
        self.path, self.unit = line["vss_path"], line["vss_unit"]
        self.formula = parse_formula(self.text)
        if self.formula is None:
            return
        if not self.path:
            self.path, self.unit = overlay[(line["pid"], self.name)]
        pair = (line["unit"], self.unit)
        if pair in CONVERT:
            self.formula.converted(CONVERT[pair])
        elif self.unit and pair not in SAME_UNIT and pair[0] != pair[1]:
            raise SystemExit(f"PID {line['pid']}: no conversion from {pair[0]} to {pair[1]}")
        condition = re.search(r"\(if A&(\d+)\)", self.name)
        self.valid_mask = int(condition[1]) if condition else 0
        self.ff_is_absent = "0xFF=not used" in self.name
        # 55-58 come with one byte or two (one bank or two): what is there counts.
        short = 0x55 <= self.pid <= 0x58
        self.needs = self.formula.first + self.formula.width if short else self.bytes

    def decimals(self):
        """Enough to keep two neighbouring raw values apart, and exact where one digit more makes it so."""
        if self.unit == "percent":
            return 1
        step = abs(self.formula.scale)
        keep = 0
        while Fraction(1, 10**keep) > step:
            keep += 1
        for d in (keep, keep + 1):
            if (step * 10**d).denominator == 1:
                return d
        return keep


def read_pids():
    with OVERLAY.open(newline="") as f:
        overlay = {(r["pid"], r["name"]): (r["path"], r["unit"]) for r in csv.DictReader(f)}
    with PIDS.open(newline="") as f:
        return [Row(line, overlay) for line in csv.DictReader(f)]


def decimal_text(value, decimals):
    """A fraction rounded half away from zero, without trailing zeros."""
    scaled = abs(value) * 10**decimals
    n = int(scaled + Fraction(1, 2))
    digits = str(n).rjust(decimals + 1, "0")
    text = digits[:-decimals] + "." + digits[-decimals:] if decimals else digits
    if decimals:
        text = text.rstrip("0").rstrip(".")
    return "-" + text if value < 0 and n else text


def signals_csv(pids):
    """The committed rows as they are, then a row for every path that has none yet."""
    with SIGNALS.open(newline="") as f:
        rows = [dict(r) for r in csv.DictReader(f)]
    for at, row in enumerate(rows, 1):
        if int(row["id"]) != at:
            raise SystemExit(f"signals.csv: row {at} has id {row['id']}: ids count from 1 without a hole")
    known = {r["path"] for r in rows}
    if len(known) != len(rows):
        raise SystemExit("signals.csv: a path appears twice")
    arithmetic = [p for p in pids if p.formula]
    for pid in arithmetic:
        if pid.path in known:
            continue
        same = [p for p in arithmetic if p.path == pid.path]
        if len({p.unit for p in same}) != 1:
            raise SystemExit(f"{pid.path}: two units")
        decimals = max(p.decimals() for p in same)
        rows.append({"id": str(len(rows) + 1), "path": pid.path, "unit": pid.unit, "decimals": str(decimals),
                     "lowest": decimal_text(min(p.formula.limits()[0] for p in same), decimals),
                     "highest": decimal_text(max(p.formula.limits()[1] for p in same), decimals)})
        known.add(pid.path)
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "path", "unit", "decimals", "lowest", "highest"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return rows, out.getvalue()


def path_hash(path, seed, bits):
    """As path_hash in signals.c."""
    wrap = (1 << 64) - 1
    data, h = path.encode(), seed ^ len(path)
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        h = (h ^ int.from_bytes(data[at:at + 8], "little")) * 0x9E3779B97F4A7C15 & wrap
        h ^= h >> 32
    h = (h ^ int.from_bytes(data[whole:], "little")) * 0x9E3779B97F4A7C15 & wrap
    return h >> (64 - bits)


def perfect_hash(paths):
    """The smallest table of 2^bits slots in which some seed gives every path a slot of its own."""
    for bits in range(8, 17):
        if 1 << bits < 8 * len(paths):
            continue
        for seed in range(1, 2000):
            slots = {path_hash(p, seed, bits): at for at, p in enumerate(paths, 1)}
            if len(slots) == len(paths):
                return bits, seed, slots
    raise SystemExit("no perfect hash found")


def signals_inc(rows):
    paths = [r["path"] for r in rows]
    bits, seed, slots = perfect_hash(paths)
    out = ["/* Written by proto/tables.py from proto/signals.csv: change that, then run `make tables`. */",
           f"#define SIGNAL_ROWS {len(rows)}", f"#define SIGNAL_HASH_BITS {bits}",
           f"#define SIGNAL_HASH_SEED UINT64_C({seed})", "",
           "static const struct signal_row signal_rows[SIGNAL_ROWS] = {"]
    for r in rows:
        if len(r["path"]) > 128 or not 0 <= int(r["decimals"]) <= 9:
            raise SystemExit(f"signals.csv: {r['path']} is out of bounds")
        out.append(f'    {{"{r["path"]}", "{r["unit"]}", {r["decimals"]}, {r["lowest"]}, {r["highest"]}}},'
                   f" /* {r['id']} */")
    out += ["};", "", "static const unsigned char signal_lengths[SIGNAL_ROWS] = {"]
    out += lines([str(len(p)) for p in paths])
    out += ["};", "", "const struct signal_field signal_fields[SIGNAL_ROWS] = {"]
    for r in rows:
        out.append(f'    {{"{r["path"]}=", {len(r["path"]) + 1}, {r["decimals"]}}}, /* {r["id"]} */')
        if len(r["path"]) + 1 >= 96:
            raise SystemExit(f"signals.csv: {r['path']} is longer than a signal_field")
    out += ["};", "", "/* id by hash; 0: no path has it */",
            "static const uint16_t signal_slots[1 << SIGNAL_HASH_BITS] = {"]
    out += lines([f"[{slot}] = {slots[slot]}" for slot in sorted(slots)])
    out += ["};", ""]
    return "\n".join(out)


def lines(items):
    out, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 100:
            out.append(line)
            line = "   "
        line += f" {item},"
    return out + [line]


PIDS_HEAD = """\
/* Written by proto/tables.py from proto/obd_pids.csv (SAE J1979, service 01): change that, then run `make tables`.
 * Included by vehicle/obd/pids.c alone, after "proto/signals.h", <stdbool.h> and <stdint.h>.
 *
 * A row turns the data bytes after `41 <pid>` into one signal, in its VSS unit:
 *     raw   = the `width` bytes from `first` (0 = A), big-endian; two's complement when is_signed;
 *             when mask is not 0: (raw >> shift) & mask
 *     value = (raw * multiply + add) / divide
 * The three numbers are integers: all but the division is exact in doubles, so the value is the nearest double
 * to the formula, with the unit converted.  There is no value
 *     when fewer than `needs` bytes came (all of the PID's, except 55-58, where a bank may be missing),
 *     when valid_mask is not 0 and no bit of it is set in byte A,
 *     when ff_is_absent and the byte is FF.
 * Rows are in ascending order of PID.  Several PIDs may fill one signal: the first in this order that the ECU
 * supports is meant to be chosen once per connection.  pid_bytes says how many data bytes a PID has, structures
 * (01, 02, bitmaps) included; 0 = not in the table, so nothing behind it in a batch can be read. */
struct pid_row {
    uint8_t pid;
    uint8_t needs;
    uint16_t signal; /* proto/signals.h */
    uint8_t first, width;
    bool is_signed, ff_is_absent;
    uint8_t shift, mask;
    uint8_t valid_mask;
    double multiply, add, divide;
};
"""


def pids_inc(pids, rows):
    ids = {r["path"]: r["id"] for r in rows}
    arithmetic = [p for p in pids if p.formula]
    if arithmetic != sorted(arithmetic, key=lambda p: p.pid):
        raise SystemExit("obd_pids.csv is not in ascending order")
    out = [PIDS_HEAD, f"#define PID_ROWS {len(arithmetic)}", "",
           "static const struct pid_row pid_rows[PID_ROWS] = {"]
    for p in arithmetic:
        f = p.formula
        multiply, add, divide = f.numbers()
        out.append(f"    /* {p.pid:02X} {p.path}: {p.text.split(':')[0]} */")
        out.append(f"    {{0x{p.pid:02X}, {p.needs}, {ids[p.path]}, {f.first}, {f.width}, "
                   f"{str(f.signed).lower()}, {str(p.ff_is_absent).lower()}, {f.shift}, 0x{f.mask:02X}, "
                   f"{p.valid_mask}, {multiply}, {add}, {divide}}},")
    out += ["};", "", "static const uint8_t pid_bytes[256] = {"]
    out += lines([f"[0x{pid:02X}] = {n}" for pid, n in sorted({p.pid: p.bytes for p in pids}.items())])
    out += ["};", ""]
    return "\n".join(out)


DEADBANDS_HEAD = """\
/* Written by proto/tables.py from vehicle/deadbands.csv: change that, then run `make tables`.
 * Included by vehicle/deadband.c alone.  By signal id; row 0 is that of every signal without one. */
#define DEADBAND_ROWS %d

static const struct deadband_row deadband_rows[DEADBAND_ROWS] = {
"""


def deadband_row(row, groups):
    """band, silence in ms and group as C; `all` is a band nothing fits in, `with` one everything does."""
    band = {"all": "-1", "with": "HUGE_VAL"}.get(row["band"]) or str(float(row["band"]))
    silence = int(float(row["silence_s"]) * 1000) if row["silence_s"] else 0
    if (not silence) != (row["band"] in ("all", "with")):
        raise SystemExit(f"deadbands.csv: {row['path']}: a silence goes with a number")
    if row["band"] == "with" and not row["group"]:
        raise SystemExit(f"deadbands.csv: {row['path']}: with whom?")
    return f"{{{band}, {silence or 'INT32_MAX'}, {groups.setdefault(row['group'], len(groups))}}}"


def deadbands_inc(rows):
    ids, groups, out = {"*": 0, **{r["path"]: int(r["id"]) for r in rows}}, {"": 0}, {}
    with DEADBANDS.open(newline="") as f:
        for row in csv.DictReader(f):
            if row["path"] not in ids or ids[row["path"]] in out:
                raise SystemExit(f"deadbands.csv: {row['path']} is no signal, or twice")
            out[ids[row["path"]]] = f"    [{ids[row['path']]}] = {deadband_row(row, groups)}, /* {row['path']} */"
    if 0 not in out or len(groups) > 16:
        raise SystemExit("deadbands.csv: a row * for the rest, and at most 15 groups")
    return DEADBANDS_HEAD % (max(out) + 1) + "\n".join(out[at] for at in sorted(out)) + "\n};\n"


def main():
    pids = read_pids()
    rows, csv_text = signals_csv(pids)
    wanted = {SIGNALS: csv_text, SIGNALS_INC: signals_inc(rows), PIDS_INC: pids_inc(pids, rows),
              DEADBANDS_INC: deadbands_inc(rows)}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if sys.argv[1:] == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `make tables`", file=sys.stderr)
        return 1 if stale else 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    for path in stale:
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
