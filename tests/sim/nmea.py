"""nmea.py - what the car's GPS receiver says, once a second (NMEA 0183).

One datagram carries a whole second: RMC GGA GSA GSV GST.  gpsd needs RMC for the date, GGA for
the height, GSA for "3D" and the dilutions, GST for the accuracy (eph), GSV for the satellites.
The date is today's: an old one would be "corrected" by gpsd by 1,024 weeks.
"""
import time

KNOT_KMH = 1.852
GEOID_M = 47.0               # geoid above the ellipsoid, central Europe
# PRN, elevation, azimuth, signal: a plausible sky
SKY = ((2, 61, 285, 44), (5, 40, 151, 42), (7, 24, 61, 38), (9, 12, 98, 33), (13, 70, 84, 46),
       (15, 28, 204, 39), (18, 17, 330, 35), (20, 45, 250, 43), (29, 33, 40, 40))


def sentence(body):
    check = 0
    for char in body:
        check ^= ord(char)
    return f"${body}*{check:02X}\r\n"


def _angle(value, digits, letters):
    """ddmm.mmmmmm,N"""
    micro = round(abs(value) * 60 * 1e6)
    degrees, micro = divmod(micro, 60 * 1000000)
    return f"{degrees:0{digits}d}{micro // 1000000:02d}.{micro % 1000000:06d}," \
           f"{letters[value < 0]}"


def _satellites(tracked):
    lines = []
    total = -(-len(tracked) // 4)
    for number in range(total):
        part = tracked[4 * number:4 * number + 4]
        body = "".join(f",{prn:02d},{up:02d},{az:03d},{snr:02d}" for prn, up, az, snr in part)
        lines.append(sentence(f"GPGSV,{total},{number + 1},{len(tracked):02d}{body}"))
    return lines


def no_fix(unix_time):
    """A receiver that sees two satellites: it knows the time, nothing else."""
    t = time.gmtime(unix_time)
    clock, date = time.strftime("%H%M%S.000", t), time.strftime("%d%m%y", t)
    return "".join([sentence(f"GPRMC,{clock},V,,,,,,,{date},,,N"),
                    sentence(f"GPGGA,{clock},,,,,0,02,,,M,,M,,"),
                    sentence("GPGSA,A,1,,,,,,,,,,,,,,,")] + _satellites(SKY[:2]))


def silent():
    """A receiver that is there and tells nothing about where it is."""
    return sentence("GPTXT,01,01,02,ANTSTATUS=OK")


def fix(moment):
    """A 3D fix where the car is."""
    t = time.gmtime(round(moment.time))
    clock, date = time.strftime("%H%M%S.000", t), time.strftime("%d%m%y", t)
    place = _angle(moment.lat, 2, "NS") + "," + _angle(moment.lon, 3, "EW")
    knots, course = moment.speed_kmh / KNOT_KMH, moment.heading_deg % 360
    height = (moment.height_m if moment.height_m is not None else 190.0) - GEOID_M
    used = ",".join(f"{s[0]:02d}" for s in SKY) + "," * (12 - len(SKY))
    # recorded accuracy is a radius; GST wants each axis
    axis = moment.accuracy_m / 2 ** 0.5
    return "".join([
        sentence(f"GPRMC,{clock},A,{place},{knots:.4f},{course:.2f},{date},,,A"),
        sentence(f"GPGGA,{clock},{place},1,{len(SKY):02d},{moment.hdop:.2f},{height:.1f},M,"
                 f"{GEOID_M:.1f},M,,"),
        sentence(f"GPGSA,A,3,{used},{moment.pdop:.2f},{moment.hdop:.2f},{moment.vdop:.2f}"),
        *_satellites(SKY),
        sentence(f"GPGST,{clock},{moment.accuracy_m:.2f},{axis:.2f},{axis:.2f},0.0,"
                 f"{axis:.2f},{axis:.2f},{axis * 1.7:.2f}"),
    ])
