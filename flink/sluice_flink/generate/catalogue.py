"""What is sold: device categories with their parts, brands, product lines, regions and channels. Names are invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """A kind of device. `yearly_claims` is the claim frequency of an average model, per policy-year."""

    name: str
    price_minor: int
    yearly_claims: float
    parts: tuple[tuple[str, float], ...]
    """Part code and the cost of repairing it as a share of the device's price."""


def _category(name: str, price: int, yearly_claims: float, **parts: float) -> Category:
    return Category(name, price * 100, yearly_claims, tuple((f"{name}-{part}", share) for part, share in parts.items()))


CATEGORIES: tuple[Category, ...] = (
    _category("phone", 3200, 0.28, screen=0.28, battery=0.10, back=0.12, board=0.45),
    _category("tablet", 2600, 0.18, screen=0.32, battery=0.12, board=0.45),
    _category("laptop", 5800, 0.16, screen=0.22, keyboard=0.09, battery=0.11, board=0.40),
    _category("tv", 4200, 0.10, panel=0.55, power=0.12, board=0.22),
    _category("monitor", 1500, 0.08, panel=0.50, power=0.14),
    _category("fridge", 3600, 0.08, compressor=0.35, seal=0.06, board=0.18),
    _category("washer", 2900, 0.10, motor=0.26, pump=0.09, board=0.18),
    _category("dryer", 3300, 0.08, motor=0.25, heater=0.13),
    _category("dishwasher", 3100, 0.10, pump=0.14, heater=0.12),
    _category("aircon", 3500, 0.10, compressor=0.40, fan=0.12, board=0.20),
    _category("heater", 1900, 0.08, element=0.15, board=0.18),
    _category("microwave", 800, 0.06, magnetron=0.30, door=0.12),
    _category("oven", 2400, 0.06, element=0.14, door=0.11),
    _category("vacuum", 1800, 0.14, motor=0.28, battery=0.20),
    _category("camera", 6200, 0.12, lens=0.30, sensor=0.45),
    _category("watch", 1700, 0.22, screen=0.38, battery=0.16),
    _category("earbuds", 700, 0.26, battery=0.40, case=0.25),
    _category("speaker", 900, 0.08, driver=0.28, battery=0.18),
    _category("console", 2800, 0.10, drive=0.20, board=0.40),
    _category("drone", 4900, 0.36, gimbal=0.30, motor=0.12, battery=0.15),
    _category("printer", 1200, 0.12, head=0.30, feeder=0.14),
    _category("router", 500, 0.04, board=0.50),
    _category("projector", 4400, 0.08, lamp=0.18, lens=0.25),
    _category("headset", 2700, 0.16, screen=0.36, board=0.40),
)

BRANDS = ("Aldera", "Borealis", "Cendra", "Dovria", "Elmoor", "Fenwick", "Galtec", "Harrow", "Isolde", "Jorvik")
INSURERS = ("insurer-a", "insurer-b", "insurer-c", "insurer-d")
REGIONS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "centre")
TIERS = ("T1", "T2", "T3")
CHANNELS = (
    "Flagship", "Franchise", "Online", "Operator", "Department", "Discount",
    "Outlet", "Campus", "Corporate", "Rural", "Airport", "Partner",
)  # fmt: skip
FAULTS = ("DROP", "LIQUID", "WEAR", "ELECTRIC", "DEFECT", "UNKNOWN")


@dataclass(frozen=True)
class ProductLine:
    """A kind of protection. `claim_share` scales the category's frequency: a line covers only some of it."""

    name: str
    price_share: float
    claim_share: float
    years: tuple[int, ...]
    starts_after_warranty: bool


PRODUCT_LINES: tuple[ProductLine, ...] = (
    ProductLine("SCREEN", 0.05, 0.6, (1,), False),
    ProductLine("ACCIDENTAL", 0.09, 1.0, (1, 2), False),
    ProductLine("EXTENDED_WARRANTY", 0.06, 0.8, (1, 2, 3), True),
)
