"""The cars of `make run`: which recording each one drives, and what people call it."""
from dataclasses import dataclass
from pathlib import Path

CAPTURES = Path(__file__).resolve().parents[1] / "captures"
LINE = CAPTURES / "envirocar_track_2_dodge_caliber.json"  # the one recording with positions


@dataclass(frozen=True)
class Car:
    vin: str
    name: str
    plate: str
    make: str
    fuel: str
    drive: Path
    offset_s: int  # where in its recording it is when the fleet starts: some always move


RECORDINGS = (
    ("VSSZZZ5FZJR0000", "Seat León", "Seat", "petrol", "kit_2018-02-23_RT_RT_Frei_Beschleunigung.csv", 60),
    ("1B3HB48C37D0000", "Dodge Caliber", "Dodge", "petrol", "envirocar_track_2_dodge_caliber.json", 120),
    ("VSSZZZ5FZHR1000", "Seat León", "Seat", "petrol", "kit_2017-08-07_RT_KA_Frei_Vollbremsung_540-840s.csv", 10),
)


def fleet(count):
    cars = []
    for n in range(1, count + 1):
        stem, name, make, fuel, drive, offset = RECORDINGS[(n - 1) % len(RECORDINGS)]
        cars.append(Car(f"{stem}{n:02d}", f"{name} {n}", f"VG-{100 + n}-IE", make, fuel, CAPTURES / drive,
                        offset + 37 * ((n - 1) // len(RECORDINGS))))
    return cars
