"""A TCP proxy that can be shut: connections pass, hang without a word, are cut, or their packets vanish.

    gate = Gate(1883, free_port())   # leads to that port of 127.0.0.1; .port is where to connect
    gate.hang() gate.cut() gate.vanish() gate.open()"""
import asyncio
import concurrent.futures
import ctypes
import fcntl
import socket
import struct
import threading
import time

SO_ATTACH_FILTER, SO_DETACH_FILTER, SIOCOUTQ = 26, 27, 0x5411  # <asm-generic/socket.h>, <linux/sockios.h>
NOTHING = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))  # classic BPF: let 0 bytes of a packet through

class Gate:
    def __init__(self, target, port):
        self.target, self.port = target, port
        self.loop = asyncio.new_event_loop()
        self.writers, self.passing, self.refusing, self.vanishing = set(), asyncio.Event(), False, False
        self.passing.set()
        ready = threading.Event()
        threading.Thread(target=self.run, args=(ready,), daemon=True).start()
        ready.wait()

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self.accept, "127.0.0.1", self.port, limit=1 << 18))
        ready.set()
        self.loop.run_forever()

    async def accept(self, reader, writer):
        if self.refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=1 << 18)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self.writers |= both
        if self.vanishing:
            self.attach()
        await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))
        self.writers -= both

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                await self.passing.wait()
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.transport.abort() if writer.transport.is_closing() else writer.close()

    def call(self, what):
        """In the thread of the loop; what it returns."""
        done = concurrent.futures.Future()

        def now():
            try:
                done.set_result(what())
            except Exception as e:  # whoever asked for it is told
                done.set_exception(e)
        self.loop.call_soon_threadsafe(now)
        return done.result()

    def hang(self):
        self.call(self.passing.clear)

    def cut(self):
        def now():
            self.refusing = True
            for writer in list(self.writers):
                writer.transport.abort()
        self.call(now)

    def vanish(self):
        """As when a cable is drawn or both hosts lose their power: to neither side anything is answered or confirmed, a handshake and a
        keepalive as little as a byte.  The kernel throws away what comes for these sockets before TCP sees it; that needs no right.
        What it would send again and again has to be confirmed first, since that would look like a sign of life."""
        self.hang()
        end = time.monotonic() + 5
        while self.call(self.unconfirmed) and time.monotonic() < end:
            time.sleep(0.01)
        self.call(self.attach)

    def unconfirmed(self):
        """Bytes on their way to either side."""
        queued = sum(struct.unpack("i", fcntl.ioctl(s.fileno(), SIOCOUTQ, bytes(4)))[0] for s in self.connections())
        return queued + sum(writer.transport.get_write_buffer_size() for writer in self.writers)

    def connections(self):
        return [s for s in (writer.get_extra_info("socket") for writer in self.writers) if s.fileno() >= 0]

    def attach(self):
        for s in (*self.server.sockets, *self.connections()):
            s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(NOTHING)))
        self.vanishing = True

    def open(self):
        def now():
            for s in (*self.server.sockets, *self.connections()) if self.vanishing else ():
                s.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            self.refusing = self.vanishing = False
            self.passing.set()
        self.call(now)
