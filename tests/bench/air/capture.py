"""Counts what goes over loopback in a network namespace of our own: IP packets as a modem would see them."""
import array
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading

MTU = 1500
SIOCETHTOOL, TSO, GSO, GRO = 0x8946, 0x1F, 0x24, 0x2C
PACKET_HOST, ETH_P_ALL, ETHERNET = 0, 3, 14


def enter():
    """Start this program again inside a namespace with nothing but loopback; returns when inside."""
    if os.environ.get("VIGIE_NAMESPACE") != "1":
        how = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-c", "-n", "--keep-caps"]
        os.environ["VIGIE_NAMESPACE"] = "1"
        os.execvp(how[0], [*how, sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "mtu", str(MTU)], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for what in (TSO, GSO, GRO):
        switch_off(what)


def switch_off(what):
    """Loopback hands TCP segments of 64 KiB through unless told not to."""
    value = ctypes.create_string_buffer(struct.pack("=II", what, 0))
    request = array.array("B", struct.pack("16sP16x", b"lo", ctypes.addressof(value)))
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCETHTOOL, request)


class Capture:
    """Bytes of IP packets, headers included, from and to each TCP port of a list: the first that fits has them."""

    def __init__(self, ports):
        self.bytes = {port: 0 for port in ports}
        self.packets = {port: 0 for port in ports}
        self.largest = 0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.socket.bind(("lo", 0))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            frame, (_, _, kind, _, _) = self.socket.recvfrom(65600)
            if kind != PACKET_HOST:
                continue  # each packet is seen going out and coming in
            packet = frame[ETHERNET:]
            version = packet[0] >> 4
            head = (packet[0] & 15) * 4 if version == 4 else 40
            if (packet[9] if version == 4 else packet[6]) != socket.IPPROTO_TCP:
                continue
            self.count(struct.unpack_from(">HH", packet, head), len(packet))

    def count(self, ends, size):
        port = next((port for port in self.bytes if port in ends), None)
        if port is not None:
            self.bytes[port] += size
            self.packets[port] += 1
            self.largest = max(self.largest, size)

    def dropped(self):
        """Packets the kernel could not give us: a count with any is none."""
        return struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS
