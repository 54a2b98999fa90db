"""All families of BMS frames by name: a profile says which one its device speaks."""

from collections.abc import Mapping

from drivers.bms.daly import DALY, DALY_BLE
from drivers.bms.daly_hkms import DALY_HKMS, DALY_HKMS_BLE
from drivers.bms.family import Family
from drivers.bms.jbd import JBD
from drivers.bms.jk import JK
from drivers.bms.jk02 import JK_BLE, JK_PB
from drivers.bms.pylontech import PYLONTECH
from drivers.bms.seplos import SEPLOS_V2
from drivers.bms.seplos3 import SEPLOS_V3

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        JBD,
        JK,
        JK_PB,
        JK_BLE,
        DALY,
        DALY_BLE,
        DALY_HKMS,
        DALY_HKMS_BLE,
        SEPLOS_V2,
        SEPLOS_V3,
        PYLONTECH,
    )
}
