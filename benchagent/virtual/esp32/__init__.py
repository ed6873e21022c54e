"""The ROM loader, the flash and the serial port of a virtual ESP32 board."""
