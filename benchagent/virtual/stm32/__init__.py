"""The silicon and the debug probe of a virtual STM32F4 board."""
