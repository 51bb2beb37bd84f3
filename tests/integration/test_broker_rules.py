"""guard's rules against a model written from the rules alone: over a million random questions.

The rules are a pure function in C; tests/unit/broker/judge.c reads questions and writes its answers.
VIGIE_SEED repeats a run."""
import collections
import os
import random
import re
import subprocess
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("VIGIE_BUILD", "build")
QUESTIONS = 1_050_000

READ, WRITE, SUBSCRIBE, UNSUBSCRIBE = 1, 2, 4, 8
UNSEEN, SERVICE, OTHER = 0, 1, 2
VIN = re.compile("[A-HJ-NPR-Z0-9]{17}")
ALPHABET = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


def shard(vin):
    return f"{zlib.crc32(vin.encode('latin-1')) & 63:02x}"


def model(question, denied):
    """The answer, by the rules in words: first match decides."""
    name, issuer, access, retained, topic = question
    if name is None:
        return "deny no_name"
    if name.startswith("svc-"):
        return "deny wrong_ca" if issuer == OTHER else "defer fine"
    if not VIN.fullmatch(name):
        return "deny bad_name"
    if name in denied:
        return "deny revoked"
    levels = topic.split("/", 4)
    if len(levels) < 5 or levels[:4] != ["fleet", "v1", shard(name), name]:
        return "deny foreign_topic"
    way = levels[4]
    if access == UNSUBSCRIBE:
        return "allow fine"
    if access == SUBSCRIBE and way.startswith("down/"):
        return "allow fine"
    if access == READ and way.startswith("down/"):
        return "defer fine"
    if access == WRITE and way.startswith("up/"):
        return "deny retained" if retained and way != "up/state" else "defer fine"
    return "deny wrong_way"


class Asker:
    """Makes questions that are nearly right: there the mistakes would be."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.vins = ["".join(self.random.choices(ALPHABET, k=17)) for _ in range(200)]
        self.denied = set(self.vins[:40])

    def broken(self, text):
        """One byte changed, left out, added or doubled; never a tab or a line end."""
        r = self.random
        at = r.randrange(len(text) + 1)
        byte = chr(r.choice([*b"/+#$IOQaz09.\x01\x1f\x7f \xc3\xa9\xff", r.randrange(32, 127)]))
        return r.choice([text[:at] + byte + text[at:], text[:at] + byte + text[at + 1:],
                         text[:at] + text[at + 1:], text[:at] + text[at:at + 1] + text[at:],
                         text.encode("latin-1").swapcase().decode("latin-1")])

    def name(self):
        r = self.random
        dice = r.random()
        if dice < 0.80:
            return r.choice(self.vins)
        if dice < 0.90:
            return r.choice(["svc-ingest", "svc-api", "svc-notify", "svc-video", "svc-bridge", "svc-",
                             "svc-x"])
        if dice < 0.96:
            return self.broken(r.choice([*self.vins[:50], "svc-ingest"]))
        return r.choice([None, None, "", "#", "+", "admin", r.choice(self.vins) + "/x"])

    def topic(self, name):
        r = self.random
        vin = name if name and r.random() < 0.85 else r.choice(self.vins)
        dice = r.random()
        where = shard(vin) if dice < 0.85 else r.choice(["+", "#", "", f"{r.randrange(256):02x}",
                                                         shard(vin).upper(), "0" + shard(vin)])
        rest = r.choice(["up/state", "up/state", "up/telemetry", "up/", "up", "up/#", "up/state/", "upstate",
                         "down/ack", "down/#", "down/+", "down/", "down", "downs/x", "live", "alert",
                         "#", "+", "+/ack", "", "up/state/x", "Up/state", "up//state"])
        topic = f"fleet/v1/{where}/{vin}/{rest}"
        dice = r.random()
        if dice < 0.10:
            return self.broken(topic)
        if dice < 0.14:
            return r.choice(["$share/g/", "$SYS/", "$CONTROL/", "/", " ", "fleet/"]) + topic
        if dice < 0.18:
            return r.choice(["#", "", "+", "fleet/#", "$SYS/#", "fleet/v1/+/+/up/#", topic[:r.randrange(40)]])
        return topic

    def question(self):
        r = self.random
        name = self.name()
        access = r.choice([READ, WRITE, WRITE, WRITE, SUBSCRIBE, SUBSCRIBE, UNSUBSCRIBE,
                           r.choice([0, 3, 5, 12, 16, -1])])
        return name, r.choice([UNSEEN, SERVICE, OTHER]), access, r.random() < 0.3, self.topic(name)


def as_line(question):
    name, issuer, access, retained, topic = question
    return (f"{name or ''}\t{issuer}\t{access}\t{int(retained)}\t{int(name is not None)}\t{topic}\n"
            .encode("latin-1"))


def test_guard_agrees_with_the_model_on_a_million_questions(tmp_path):
    target = f"{BUILD}/unit/broker/judge"
    done = subprocess.run(["make", "-s", f"B={BUILD}", target], cwd=ROOT, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    seed = os.environ.get("VIGIE_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"VIGIE_SEED={seed}", file=sys.stderr)
    asker = Asker(seed)
    deny_file = tmp_path / "revoked.vins"
    deny_file.write_text("".join(f"{vin}\n" for vin in sorted(asker.denied)))
    lines, wanted = tmp_path / "questions", []
    with open(lines, "wb") as out:
        for _ in range(QUESTIONS):
            question = asker.question()
            wanted.append(model(question, asker.denied))
            out.write(as_line(question))
    with open(lines, "rb") as questions:
        done = subprocess.run([ROOT / target, deny_file], stdin=questions, capture_output=True,
                              timeout=300)
    assert done.returncode == 0, done.stderr
    given = done.stdout.decode().splitlines()
    assert len(given) == QUESTIONS
    for i, (want, got) in enumerate(zip(wanted, given)):
        if want != got:
            asked = lines.read_bytes().split(b"\n")[i]
            raise AssertionError(f"{asked!r}: the model says {want}, guard says {got}")
    # The questions are worth asking only if every answer is among them, and often.
    counts = collections.Counter(wanted)
    assert set(counts) == {
        "allow fine", "defer fine", "deny no_name", "deny wrong_ca", "deny bad_name", "deny revoked",
        "deny foreign_topic", "deny wrong_way", "deny retained"}
    assert min(counts.values()) > 1000, counts
