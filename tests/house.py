"""The house rules that need no compiler: `make lint` and `make test` both hold them.

    python3 tests/house.py [rooms|length|tables|words|secrets|pages|python|shell|fields ...]
Prints what breaks a rule as file:line: why.  Exits 1 when something does."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES_MAX = 500
SKIPPED = {".git", "node_modules", "dist", "run", "__pycache__", ".pytest_cache"}

# A room, and the rooms it may include besides itself.  The longest room that fits a path is the file's.
ROOMS = {
    "proto": (),
    "lib": ("proto",),
    "lib/drive": ("proto", "lib"),
    "lib/store": ("proto", "lib"),
    "services/broker": ("proto",),
    "services/ingest": ("proto", "lib", "lib/store", "services/ingest/again", "services/ingest/commit",
                        "services/ingest/wire", "services/ingest/car", "services/ingest/record", "services/ingest/facts"),
    "services/ingest/again": ("proto", "lib", "lib/store", "services/ingest/commit", "services/ingest/wire",
                              "services/ingest/car", "services/ingest/record", "services/ingest/facts"),
    "services/ingest/commit": ("proto", "lib", "lib/store", "services/ingest/car",
                               "services/ingest/record", "services/ingest/facts"),
    "services/ingest/car": ("proto", "lib", "lib/drive", "services/ingest/facts"),
    "services/ingest/wire": ("proto", "lib"),
    "services/ingest/record": ("proto", "lib", "lib/store"),
    "services/ingest/facts": ("proto", "lib/drive"),
    "services/api": ("proto", "lib", "lib/store"),
    "services/notify": ("proto", "lib", "lib/store"),
    "services/video": ("proto", "lib", "lib/store"),
    "vehicle": ("proto", "lib", "lib/drive"),
}
# Outside libraries, by the first header somebody would reach for, and the only places they may be met.
OUTSIDE = {
    "jansson.h": ("proto/", "lib/store/", "services/", "vehicle/"),
    "zlib.h": ("proto/",),
    "MQTTAsync.h": ("lib/",),
    "curl/curl.h": ("lib/",),
    "libpq-fe.h": ("lib/store/", "services/"),
    "libwebsockets.h": ("services/",),
    "jwt.h": ("services/api/token.c",),  # every token passes one fence
    "crypt.h": ("services/api/",),
    "mosquitto": ("services/broker/", "services/ingest/wire/"),
    "sqlite3.h": ("vehicle/",),
    "gps.h": ("vehicle/",),
    "libserialport.h": ("vehicle/",),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Tree:
    """A folder of files as the rules see it: what git tracks or would, else everything but build products."""

    def __init__(self, root=ROOT):
        self.root = Path(root)
        listed = subprocess.run(["git", "-C", str(self.root), "ls-files", "-zco", "--exclude-standard"], capture_output=True)
        if listed.returncode == 0 and (self.root / ".git").exists():
            names = [n for n in listed.stdout.decode().split("\0") if n]
        else:
            names = [str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()
                     and not SKIPPED & set(p.relative_to(self.root).parts) and not re.match("build", p.relative_to(self.root).parts[0])]
        self.names = sorted(n for n in names if (self.root / n).is_file())

    def ending(self, *ends):
        return [n for n in self.names if n.endswith(ends)]

    def text(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")


def room_of(name):
    fits = [room for room in ROOMS if name.startswith(room + "/")]
    return max(fits, key=len) if fits else None


def may_include(tree, name, target):
    """`target` as written between quotes in file `name`: found beside it first, as the compiler does."""
    beside = os.path.normpath(Path(name).parent / target)
    if beside not in tree.names and "/" not in target:
        return True  # nowhere: the compiler's affair
    room, other = room_of(name), room_of(beside if beside in tree.names else target)
    return other == room or other in ROOMS[room]


def rooms(tree):
    for name in tree.ending(".c", ".h"):
        room = room_of(name)
        if room is None:
            continue
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            quote, target = found.groups()
            if quote == '"' and not may_include(tree, name, target):
                yield f'{name}:{number}: {room}/ may not include "{target}"'
            for header, places in OUTSIDE.items() if quote == "<" else ():
                if target.startswith(header) and not name.startswith(places):
                    yield f"{name}:{number}: <{target}> belongs to {' '.join(places)}"


def length(tree):
    for name in tree.ending(".c", ".h"):
        lines = tree.text(name).count("\n")
        if lines >= LINES_MAX:
            yield f"{name}:{lines}: too long to read in one sitting, split it by what changes together"


def tables(tree):
    done = subprocess.run([sys.executable, "proto/tables.py", "--check"], cwd=tree.root, capture_output=True, text=True)
    if done.returncode != 0:
        yield f"proto/tables.py: {(done.stderr or done.stdout).strip()}: run make tables"


def own_paths(tree):
    """Where this checkout lies: such a path in a file works on one machine only."""
    root = tree.root.resolve()
    yield str(root) + "/"
    if len(root.parts) == 3 and root.parent.name not in ("root", "home", "tmp", "opt", "srv", "src", "usr", "var", "mnt", "build"):
        yield str(root.parent) + "/"


def words(tree):
    paths = [re.escape(p) for p in own_paths(tree)]
    wrong = re.compile("|".join([*paths, r"/home/(?!vigie)[a-z][\w-]*/", r"/Users/\w+/", r"\.\./share" + r"d\b"]))
    for name in tree.names:
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            found = wrong.search(line)
            if found and len(line) < 5000:
                yield f"{name}:{number}: {found.group()!r} is a place on one machine"
    for name in tree.ending("package-lock.json"):
        packages = json.loads(tree.text(name)).get("packages", {})
        if any("resolved" in p and str(p["resolved"]).startswith("http") for p in packages.values()):
            yield f"{name}:1: carries download addresses; write it with omit-lockfile-registry-resolved=true"
    for name in tree.ending(".npmrc", "pip.conf"):
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            if re.search(r"registry\s*=\s*http|index-url|_auth", line, re.I):
                yield f"{name}:{number}: which registry to use is the machine's affair"


def secrets(tree):
    wrong = re.compile("-----BEGIN [A-Z ]*PRIVATE " + r"KEY-----\s*\n[A-Za-z0-9+/=\s]{64}|"
                       r"https?://[^/\s:@\"'<>{}]+:(?!password@)[^/\s:@\"'<>{}]{6,}@[a-z0-9]")
    for name in tree.names:
        for found in wrong.finditer(tree.text(name)):
            number = tree.text(name).count("\n", 0, found.start()) + 1
            if not name.startswith("tests/"):
                yield f"{name}:{number}: looks like a secret"


def pages(tree):
    """Each room tells what it is for; a link in a page leads somewhere."""
    have = set(tree.names)
    for room in ROOMS:
        if any(n.startswith(room + "/") and n.endswith((".c", ".h")) for n in have) and room + "/README.md" not in have:
            yield f"{room}/README.md: missing: what the room is for, what it may include, which file to read first"
    for name in tree.ending(".md"):
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if not re.match("[a-z]+:", target) and not (tree.root / name).parent.joinpath(target).exists():
                    yield f"{name}:{number}: {target} is not there"


def python(tree):
    for name in tree.ending(".py"):
        try:
            compile(tree.text(name), name, "exec", dont_inherit=True)
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"


def shell(tree):
    for name in tree.names:
        text = tree.text(name) if name.endswith(".sh") or "." not in Path(name).name else ""
        if name.endswith(".sh") or text.startswith("#!/bin/sh"):
            done = subprocess.run(["sh", "-n", name], cwd=tree.root, capture_output=True, text=True)
            if done.returncode:
                yield f"{name}: {done.stderr.strip()}"


COMMENT = re.compile(r"/\*.*?\*/", re.S)
TOLD = re.compile(r"\b(?:ONE|MANY|WORD|MAYBE_ONE|BYTES|IN|EACH|EACH_OF_ALL)\(\s*(\w+),\s*(\w+)")


def members(text, name):
    """What `struct name { ... };` is made of, or None."""
    found = re.search(rf"\bstruct {name} \{{(.*?)\n\}}", text, re.S)
    if not found:
        return None
    declared = (d for d in found[1].split(";") if d.strip())
    return [re.search(r"(\w+)(?:\[[^\]]*\])*\s*$", one)[1] for d in declared for one in d.split(",")]


def fields(tree):
    """What is stored of a car is told member by member: one that is not would be lost with the next build."""
    told, headers = {}, [COMMENT.sub("", tree.text(n)) for n in tree.ending(".h") if n.startswith(("lib/drive/", "services/ingest/"))]
    for name in (n for n in tree.ending(".c") if n.startswith("services/ingest/car/fields")):
        for struct, member in TOLD.findall(COMMENT.sub("", tree.text(name))):
            told.setdefault(struct, (name, []))[1].append(member)
    for struct, (name, known) in told.items():
        real = next((m for m in (members(text, struct) for text in headers) if m is not None), [])
        if real != known:
            yield f"{name}:1: struct {struct} has {' '.join(real)}, not {' '.join(known)}"


RULES = {rule.__name__: rule for rule in (rooms, length, tables, words, secrets, pages, python, shell, fields)}


def main(wanted):
    tree, broken = Tree(), 0
    for name in wanted or RULES:
        found = list(RULES[name](tree))
        print("\n".join(found) if found else f"ok     {name}")
        broken += bool(found)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
