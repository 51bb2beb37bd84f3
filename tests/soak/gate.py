"""A TCP proxy that can be shut: connections pass, hang without a word, or are cut.

    gate = Gate(1883)        # leads to that port of 127.0.0.1; .port is where to connect
    gate.hang() gate.cut() gate.open()"""
import asyncio
import threading


class Gate:
    def __init__(self, target, port):
        self.target, self.port = target, port
        self.loop = asyncio.new_event_loop()
        self.writers, self.passing, self.refusing = set(), asyncio.Event(), False
        self.passing.set()
        ready = threading.Event()
        threading.Thread(target=self.run, args=(ready,), daemon=True).start()
        ready.wait()

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.accept, "127.0.0.1", self.port, limit=1 << 18))
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

    def open(self):
        def now():
            self.refusing = False
            self.passing.set()
        self.call(now)
