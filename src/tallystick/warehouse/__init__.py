"""The warehouse: hits in columns, durably kept and quickly counted. See DESIGN.md."""

from tallystick.warehouse.duckdb.rows import KeptRequest, Stored
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE, WarehouseSession
from tallystick.warehouse.duckdb.warehouse import Warehouse

__all__ = ["WAREHOUSE_FILE", "KeptRequest", "Stored", "Warehouse", "WarehouseSession"]
