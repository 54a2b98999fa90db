"""What battery management systems say in frames of their own, shared by serial and Bluetooth.

Pure: no I/O, no clock.
"""
