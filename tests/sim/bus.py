"""bus.py - an ECU's answer as it travels: CAN frames (ISO 15765-2) or legacy messages.

And as an ELM327 prints it: `printed()` turns what was received into the adapter's lines.
"""
from dataclasses import dataclass

ECU_ADDRESSES = (0x10, 0x18, 0x28)   # engine, transmission, another; legacy and 29-bit
NAMES = {
    "1": "SAE J1850 PWM", "2": "SAE J1850 VPW", "3": "ISO 9141-2",
    "4": "ISO 14230-4 (KWP 5BAUD)", "5": "ISO 14230-4 (KWP FAST)",
    "6": "ISO 15765-4 (CAN 11/500)", "7": "ISO 15765-4 (CAN 29/500)",
    "8": "ISO 15765-4 (CAN 11/250)", "9": "ISO 15765-4 (CAN 29/250)",
    "A": "SAE J1939 (CAN 29/250)", "B": "USER1 (CAN 11/125)", "C": "USER2 (CAN 11/50)",
}


@dataclass
class Received:
    """One frame or message off the bus."""
    header: bytes            # two bytes on 11-bit CAN, four on 29-bit, three on legacy buses
    data: bytes              # CAN: PCI and all, as received; legacy: without checksum
    checksum: int = None     # legacy only


def isotp_frames(payload, pad=None):
    """The data fields of the CAN frames that carry a payload; `pad`: filler byte or None."""
    if len(payload) <= 7:
        frames = [bytes([len(payload)]) + payload]
    else:
        frames = [bytes([0x10 | len(payload) >> 8, len(payload) & 0xFF]) + payload[:6]]
        for number, at in enumerate(range(6, len(payload), 7), 1):
            frames.append(bytes([0x20 | number & 0x0F]) + payload[at:at + 7])
    if pad is not None:
        frames = [frame.ljust(8, bytes([pad])) for frame in frames]
    return frames


def crc8_j1850(data):
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x1D) & 0xFF if crc & 0x80 else crc << 1
    return crc ^ 0xFF


def can_header(protocol, index):
    if protocol in "68":
        return (0x7E8 + index).to_bytes(2, "big")
    return bytes([0x18, 0xDA, 0xF1, ECU_ADDRESSES[index]])


def legacy_message(protocol, index, data):
    address = ECU_ADDRESSES[index]
    if protocol == "1":
        header = bytes([0x41, 0x6B, address])
    elif protocol in "23":
        header = bytes([0x48, 0x6B, address])
    else:
        header = bytes([0x80 | len(data), 0xF1, address])
    whole = header + data
    check = crc8_j1850(whole) if protocol in "12" else sum(whole) & 0xFF
    return Received(header, data, check)


def on_the_wire(protocol, answers, pad):
    """[(ecu, messages)] -> [Received]; first frames first, then the rest turn by turn, as
    several ECUs sharing a bus do."""
    if protocol in "12345":
        return [legacy_message(protocol, ecu.index, data)
                for ecu, messages in answers for data in messages]
    queues = [[Received(can_header(protocol, ecu.index), data)
               for message in messages for data in isotp_frames(message, pad)]
              for ecu, messages in answers]
    frames = []
    while any(queues):
        frames += [queue.pop(0) for queue in queues if queue]
    return frames


def addressed(protocol, header):
    """What a request's header reaches: None = every ECU, 0 .. 2 = one, -1 = nobody.
    `header`: the digits given to ATSH, '' = the protocol's own (everybody)."""
    if not header:
        return None
    number = int(header, 16)
    if protocol in "68":
        if number & 0x7FF == 0x7DF:
            return None
        index = (number & 0x7FF) - 0x7E0
        return index if index in range(len(ECU_ADDRESSES)) else -1
    target = number >> 8 & 0xFF
    if target in (0x33, 0x6A):
        return None
    return ECU_ADDRESSES.index(target) if target in ECU_ADDRESSES else -1


@dataclass
class Look:
    """How replies are printed: ATH, ATS, ATCAF, ATD."""
    headers: bool = False
    spaces: bool = True
    format_can: bool = True
    length_code: bool = False


def _hex(data, spaces):
    return "".join(f"{byte:02X} " for byte in data) if spaces else data.hex().upper()


def printed(protocol, frame, look):
    """The adapter's line(s) for one frame: a list, since a first frame makes two without
    headers."""
    if protocol in "12345":
        if not look.headers:
            return [_hex(frame.data, look.spaces)]
        return [_hex(frame.header + frame.data + bytes([frame.checksum]), look.spaces)]
    blank = " " if look.spaces else ""
    if look.headers:                 # "as received", filler included
        head = frame.header.hex().upper()[1:] + blank if protocol in "68" else \
            _hex(frame.header, look.spaces)
        head += f"{len(frame.data):X}{blank}" if look.length_code else ""
        return [head + _hex(frame.data, look.spaces)]
    if not look.format_can:
        return [_hex(frame.data, look.spaces)]
    kind, low = frame.data[0] >> 4, frame.data[0] & 0x0F
    if kind == 0:
        return [_hex(frame.data[1:1 + low], look.spaces)]
    if kind == 1:
        length = low << 8 | frame.data[1]
        return [f"{length:03X}", f"0:{blank}" + _hex(frame.data[2:], look.spaces)]
    return [f"{low:X}:{blank}" + _hex(frame.data[1:], look.spaces)]
