"""Clocks of a program under test that can be moved while it runs: clock_shim.c, preloaded."""
import os
import struct
import subprocess
import uuid
from pathlib import Path

SOURCE = Path(__file__).with_name("clock_shim.c")


ALONE, NTP = 1, 2


class LyingClock:
    def __init__(self, folder, real_ms=0, boot_ms=0, keeper=0):
        """`keeper`: ALONE, no clock runs on while the machine is off and nobody keeps the kernel's; NTP; 0: as it is."""
        self.file, self.library = Path(folder) / "clock", Path(folder) / "clock_shim.so"
        self.lies = [real_ms, boot_ms, keeper]
        self.file.write_bytes(bytes(4096))
        self.boot = Path(folder) / "boot_id"
        self.start_anew()
        self.write()
        done = subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", str(self.library), str(SOURCE), "-ldl"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def start_anew(self):
        """The machine is started another time."""
        self.boot.write_text(str(uuid.uuid4()) + "\n")

    def write(self):
        with self.file.open("r+b") as f:
            f.write(struct.pack("=3q", *self.lies))

    @property
    def env(self):
        return {"LD_PRELOAD": str(self.library), "VIGIE_TEST_CLOCK": str(self.file), "VIGIE_TEST_BOOT": str(self.boot),
                "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def pass_by(self, seconds):
        """So much time passes at once."""
        self.lies[0] += int(seconds * 1000)
        self.lies[1] += int(seconds * 1000)
        self.write()

    def set_right(self, keeper=NTP):
        """Somebody sets it, and keeps it from now on."""
        self.lies[0], self.lies[2] = 0, keeper
        self.write()

    def set_by(self, seconds):
        """Somebody sets the clock."""
        self.lies[0] += int(seconds * 1000)
        self.write()
