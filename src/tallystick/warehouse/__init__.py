"""The warehouse: hits in columns, durably kept and quickly counted. See DESIGN.md."""

from tallystick.warehouse.rows import KeptRequest, Stored
from tallystick.warehouse.store import WAREHOUSE_FILE, WarehouseSession
from tallystick.warehouse.warehouse import Warehouse

__all__ = ["WAREHOUSE_FILE", "KeptRequest", "Stored", "Warehouse", "WarehouseSession"]
