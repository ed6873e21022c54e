"""A project as the files that other tools open: Wokwi, PlatformIO, Arduino. Pure."""
