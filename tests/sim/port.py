"""port.py - an adapter on a line: a pty behind a symlink, or a TCP port (Wi-Fi adapters).

Gives the text of elm327.py its timing (baud rate, delays), answers STOPPED when it is written to
before its prompt, and plays the faults that spoil bytes.  One asyncio loop, no threads.
"""
import asyncio
import collections
import fcntl
import os
import pty
import termios
import tty

BITS_PER_BYTE = 10
INPUT_MAX = 256              # a real adapter has a buffer of that size


class Reply:
    """The bytes of one reply on their way out, and the faults that hit it."""

    def __init__(self, faults, random):
        self.random = random
        self.lost_prompt = faults.take("lost-prompt") is not None
        self.left = faults.take_number("cut")
        self.reset = faults.take_number("mid-reset") if faults.on("mid-reset") else None
        if self.reset is not None:
            self.left = self.reset
        self.noise = faults.take_number("garbage")
        self.nul = faults.take("nul") is not None
        self.cut = self.left is not None

    def mangle(self, data):
        if self.cut:
            data = data[:self.left]
            self.left -= len(data)
        if self.lost_prompt:
            data = data.replace(b">", b"")
        if self.nul:
            data = b"".join(bytes([byte, 0]) if self.random.random() < 0.3 else bytes([byte])
                            for byte in data)
        if self.noise:
            data = self.random.randbytes(self.noise) + data
            self.noise = 0
        return data


class Port:
    """One adapter and one line.  Subclasses move bytes: `_write(bytes)`, `open()`, `close()`."""

    def __init__(self, adapter, baud=38400):
        self.adapter = adapter
        self.baud = baud
        self.loop = asyncio.get_running_loop()
        self.typed = bytearray()
        self.waiting = bytearray()       # received while busy with an AT command
        self.busy = False
        self._is_request = self._is_reset = False     # what it is busy with
        self.task = None
        self.pause = None                # future of the wait in progress
        self.free_at = 0.0               # when the line has sent all it was given
        self.pending = collections.deque()   # timers of the bytes not sent yet
        self.finishing = False           # all of the reply is pending
        self.received_bytes = 0
        self.sent_bytes = 0
        self.stops = 0

    # ---- bytes in ------------------------------------------------------------------------

    def received(self, data):
        self.received_bytes += len(data)
        if self.adapter.faults.on("silent"):
            return
        if self.busy:
            if self.adapter.on_the_bus or self._is_request:
                if data.strip(b"\n\0"):
                    self.stop()
            elif not self._is_reset:
                self.waiting += data[:INPUT_MAX]
            return
        self._type(data)

    def _type(self, data):
        for at, byte in enumerate(data):
            if byte == 0 or byte == 10:
                continue
            if byte == 13:
                line, self.typed = bytes(self.typed), bytearray()
                self._start(line.decode("latin-1"))
                rest = bytes(data[at + 1:])
                if rest:
                    self.received_bytes -= len(rest)
                    self.received(rest)
                return
            if len(self.typed) < INPUT_MAX:
                self.typed.append(byte)

    def _start(self, line):
        name = "".join(line.split()).upper() or self.adapter.last
        self._is_request = not name.startswith(("AT", "ST")) and name != ""
        self._is_reset = name in ("ATZ", "ATWS")
        self.busy = True
        # The host's own bytes took their time on the wire too.
        arrival = (len(line) + 1) * BITS_PER_BYTE / self.baud
        self.task = self.loop.create_task(self._answer(line, arrival))

    async def _answer(self, line, arrival):
        adapter = self.adapter
        reply = Reply(adapter.faults, adapter.random)
        if "".join(line.split()) == "04" and adapter.faults.take("deaf-clear") is not None:
            reply.cut, reply.left = True, 0
        await self._wait(arrival)
        echo = (line + adapter.eol).encode("latin-1") if adapter.echoes else b""
        banner_first = "banner-first" in adapter.quirks and self._is_reset
        if echo and not banner_first:
            self.send(echo)
        for step in adapter.execute(line):
            if isinstance(step, float):
                await self._wait(step)
            else:
                text = step.encode("latin-1")
                self.send(reply.mangle(text))
                if reply.reset is not None and reply.left == 0:
                    adapter.defaults()
                    self.send(f"{adapter.eol}{adapter.eol}LV RESET{adapter.eol}{adapter.prompt}".encode())
                    break
                if echo and banner_first:
                    self.send(echo)
                    echo = b""
        self.finishing = True
        if not self.pending:
            self._idle()

    async def _wait(self, seconds):
        if seconds <= 0:
            return
        self.pause = self.loop.create_future()
        timer = self.loop.call_later(seconds, self._wake, self.pause)
        try:
            await self.pause
        finally:
            timer.cancel()

    @staticmethod
    def _wake(future):
        if not future.done():
            future.set_result(None)

    def _idle(self):
        self.busy = self.finishing = False
        self.adapter.on_the_bus = False
        rest, self.waiting = bytes(self.waiting), bytearray()
        if rest:
            self._type(rest)

    # ---- bytes out -----------------------------------------------------------------------

    def send(self, data):
        """Hand bytes to the line; they arrive when its speed has carried them."""
        if not data:
            return
        now = self.loop.time()
        self.free_at = max(self.free_at, now) + len(data) * BITS_PER_BYTE / self.baud
        self.pending.append(self.loop.call_at(self.free_at, self._sent, data))

    def _sent(self, data):
        self.pending.popleft()
        self.sent_bytes += len(data)
        if self.finishing and not self.pending:
            self._idle()                 # first: the host may write the moment it sees the >
        self._write(data)

    def _abandon(self):
        """Forget the command being answered and what was not sent of it."""
        if self.task is not None:
            self.task.cancel()
            self.task = None
        for timer in self.pending:
            timer.cancel()
        self.pending.clear()
        self.free_at = 0.0
        self.typed.clear()
        self.waiting.clear()
        self.busy = self.finishing = False
        self.adapter.on_the_bus = False

    def stop(self):
        """A character came before the prompt: the reply is lost."""
        self.stops += 1
        self._abandon()
        self.send(self.adapter.interrupted().encode())

    def reset(self, text):
        """The adapter starts over by itself and says so (LV RESET)."""
        self._abandon()
        self.adapter.defaults()
        self.say(text)

    def say(self, text):
        """Something nobody asked for."""
        eol = self.adapter.eol
        self.send((eol + eol + text + eol + self.adapter.prompt).encode("latin-1"))

    def burst(self, size):
        self.send(self.adapter.random.randbytes(size))


class PtyPort(Port):
    """A pty; `link` points to its slave as long as the adapter is plugged in.

    We keep the slave open, so that a reader's going away is no hang-up (an adapter does not
    notice either), and lift TIOCEXCL from it: on a pty it would outlive whoever set it."""

    def __init__(self, adapter, link, baud=38400):
        super().__init__(adapter, baud)
        self.link = link
        self.master = self.slave = None
        self.name = None

    def open(self):
        if self.master is not None:
            return
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave, termios.TCSANOW)
        os.set_blocking(self.master, False)
        self.name = os.ttyname(self.slave)
        temporary = f"{self.link}.{os.getpid()}"
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(self.name, temporary)
        os.replace(temporary, self.link)
        self.loop.add_reader(self.master, self._readable)

    def close(self):
        if self.master is None:
            return
        self.loop.remove_reader(self.master)
        self._abandon()
        try:
            if os.readlink(self.link) == self.name:
                os.unlink(self.link)
        except OSError:
            pass                         # somebody else's now, or gone
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = None

    def _readable(self):
        try:
            data = os.read(self.master, 4096)
        except (BlockingIOError, OSError):
            return
        fcntl.ioctl(self.slave, termios.TIOCNXCL)
        self.received(data)

    def _write(self, data):
        try:
            os.write(self.master, data)
        except BlockingIOError:
            pass                         # nobody reads: lost, as on a real line


class TcpPort(Port):
    """A Wi-Fi adapter: one client at a time, the adapter keeps its settings between them."""

    def __init__(self, adapter, port, baud=38400):
        super().__init__(adapter, baud)
        self.port = port
        self.server = None
        self.client = None

    async def open(self):
        if self.server is None:
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self.server.sockets[0].getsockname()[1]

    def close(self):
        self._abandon()
        if self.client is not None:
            self.client.close()
            self.client = None
        if self.server is not None:
            self.server.close()
            self.server = None

    async def _serve(self, reader, writer):
        if self.client is not None:
            writer.close()
            return
        self.client = writer
        try:
            while data := await reader.read(4096):
                self.received(data)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if self.client is writer:
                self.client = None

    def _write(self, data):
        if self.client is not None:
            self.client.write(data)
