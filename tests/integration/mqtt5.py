"""A small MQTT 5 client that shows every reason code, for tests of what a broker refuses.

python3-paho-mqtt 1.6 hides the reason code of a PUBACK and 2.x has another interface; this one is a few
packets of MQTT 5.0 (OASIS) on a TLS socket, blocking, and never reconnects or retries behind one's back.
"""
import collections
import socket
import ssl
import struct
import time

KEEPALIVE_S = 300  # half of what our brokers take: a client is silent for as long as its test looks elsewhere
CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14

SUCCESS, NO_SUBSCRIBERS, NOT_AUTHORIZED, PACKET_TOO_LARGE, ADMINISTRATIVE = 0, 16, 135, 149, 152

Message = collections.namedtuple("Message", "topic payload qos retained expiry_s", defaults=(None,))


class Disconnected(Exception):
    """The broker ended the connection; `reason` of its DISCONNECT, None when it just closed."""

    def __init__(self, reason):
        super().__init__(f"disconnected by the broker, reason {reason}")
        self.reason = reason


class Refused(Exception):
    """TLS or CONNECT was refused."""


def varint(n):
    out = b""
    while True:
        n, low = divmod(n, 128)
        out += bytes([low | (0x80 if n else 0)])
        if not n:
            return out


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return struct.pack("!H", len(raw)) + raw


def expiry_of(properties):
    """The message expiry interval, where it is the first property, as ours and Mosquitto's are."""
    return struct.unpack("!I", properties[1:5])[0] if properties[:1] == b"\x02" else None


class Client:
    def __init__(self, port, ca, cert=None, key=None, client_id="", will=None, expiry_s=0,
                 clean_start=True, host="127.0.0.1", timeout_s=30):
        """`will` is (topic, payload, retained).  Returns connected, or raises Refused."""
        self.timeout_s, self.mid, self.pending = timeout_s, 0, collections.deque()
        context = ssl.create_default_context(cafile=str(ca))
        if cert:
            context.load_cert_chain(str(cert), str(key))
        plain = socket.create_connection((host, port), timeout_s)
        try:
            self.sock = context.wrap_socket(plain, server_hostname=host)
            self.send_connect(client_id, will, expiry_s, clean_start)
            kind, _, body = self.read_packet(time.monotonic() + timeout_s)
        except (OSError, Disconnected) as e:  # under TLS 1.3 a refused certificate shows only here
            plain.close()
            raise Refused(str(e)) from e
        if kind != CONNACK or body[1] != SUCCESS:
            self.drop()
            raise Refused(f"CONNACK {body[1]}")

    def send_connect(self, client_id, will, expiry_s, clean_start):
        flags = 0x02 if clean_start else 0
        payload = text(client_id)
        if will:
            topic, message, retained = will
            flags |= 0x04 | 0x08 | (0x20 if retained else 0)  # QoS 1
            payload += b"\0" + text(topic) + text(message)
        properties = b"\x11" + struct.pack("!I", expiry_s)
        self.send(CONNECT, 0, text("MQTT") + bytes([5, flags]) + struct.pack("!H", KEEPALIVE_S) +
                  varint(len(properties)) + properties + payload)

    def send(self, kind, flags, body):
        self.sock.settimeout(self.timeout_s)
        try:
            self.sock.sendall(bytes([kind << 4 | flags]) + varint(len(body)) + body)
        except (ssl.SSLError, ConnectionError) as e:
            raise Disconnected(None) from e

    def read_exactly(self, n, end):
        data = b""
        while len(data) < n:
            self.sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                more = self.sock.recv(n - len(data))
            except (ssl.SSLError, ConnectionError) as e:
                if isinstance(e, socket.timeout):
                    raise
                raise Disconnected(None) from e
            if not more:
                raise Disconnected(None)
            data += more
        return data

    def read_packet(self, end):
        first = self.read_exactly(1, end)[0]
        length = shift = 0
        while True:
            byte = self.read_exactly(1, end)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        return first >> 4, first & 15, self.read_exactly(length, end)

    def on_publish(self, flags, body):
        size = struct.unpack_from("!H", body)[0]
        topic, at, qos = body[2:2 + size].decode(), 2 + size, flags >> 1 & 3
        if qos:
            mid = body[at:at + 2]
            at += 2
            self.send(PUBACK, 0, mid)
        length, at = read_varint(body, at)
        self.pending.append(Message(topic, body[at + length:], qos, bool(flags & 1), expiry_of(body[at:at + length])))

    def wait_for(self, wanted, timeout_s=None):
        """The body of the next packet of kind `wanted`; messages on the way are kept."""
        end = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while True:
            kind, flags, body = self.read_packet(end)
            if kind == PUBLISH:
                self.on_publish(flags, body)
            elif kind == DISCONNECT:
                raise Disconnected(body[0] if body else 0)
            if kind == wanted:
                return body

    def next_mid(self):
        self.mid += 1
        return struct.pack("!H", self.mid)

    def publish(self, topic, payload=b"{}", qos=1, retained=False):
        """The reason code of the PUBACK; None for QoS 0."""
        mid = self.next_mid() if qos else b""
        self.send(PUBLISH, qos << 1 | retained, text(topic) + mid + b"\0" + payload)
        if not qos:
            return None
        body = self.wait_for(PUBACK)
        assert body[:2] == mid
        return body[2] if len(body) > 2 else SUCCESS

    def subscribe(self, topic_filter, qos=1):
        """The reason code of the SUBACK: 0 or 1 granted, 128 and above refused."""
        self.send(SUBSCRIBE, 2, self.next_mid() + b"\0" + text(topic_filter) + bytes([qos]))
        return self.wait_for(SUBACK)[-1]

    def unsubscribe(self, topic_filter):
        self.send(UNSUBSCRIBE, 2, self.next_mid() + b"\0" + text(topic_filter))
        return self.wait_for(UNSUBACK)[-1]

    def ping(self):
        """When it returns, everything the broker had for this client before is in `pending`."""
        self.send(PINGREQ, 0, b"")
        self.wait_for(PINGRESP)

    def drain(self):
        """Everything delivered so far."""
        self.ping()
        messages = list(self.pending)
        self.pending.clear()
        return messages

    def receive(self, timeout_s=None):
        """The next message, however long until timeout_s it takes; socket.timeout when none came."""
        if not self.pending:
            self.wait_for(PUBLISH, timeout_s)
        return self.pending.popleft()

    def wait_disconnected(self, timeout_s=60):
        """The reason with which the broker ends this connection."""
        try:
            self.wait_for(DISCONNECT, timeout_s)
        except Disconnected as e:
            return e.reason

    def drop(self):
        """Gone without a DISCONNECT: the broker publishes the will."""
        self.sock.close()

    def close(self):
        try:
            self.send(DISCONNECT, 0, b"")
        except (OSError, Disconnected):
            pass
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
