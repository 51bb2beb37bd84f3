"""A TCP proxy that can be shut: connections pass, hang without a word, are cut, or their packets vanish.

    gate = Gate(1883, free_port())   # leads to that port of 127.0.0.1; .port is where to connect
    gate.hang() gate.cut() gate.vanish() gate.open()"""
import asyncio
import ctypes
import socket
import struct
import threading

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27  # <asm-generic/socket.h>
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
        done = threading.Event()
        self.loop.call_soon_threadsafe(lambda: (what(), done.set()))
        done.wait()

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
        keepalive as little as a byte.  The kernel throws away what comes for these sockets before TCP sees it; that needs no right."""
        def now():
            self.passing.clear()
            self.filter(lambda s: s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(NOTHING))))
            self.vanishing = True
        self.call(now)

    def filter(self, do):
        for s in [*self.server.sockets, *(writer.get_extra_info("socket") for writer in self.writers)]:
            if s.fileno() >= 0:
                do(s)

    def open(self):
        def now():
            if self.vanishing:
                self.filter(lambda s: s.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0))
            self.refusing = self.vanishing = False
            self.passing.set()
        self.call(now)
