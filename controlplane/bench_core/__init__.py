"""The bench core: the Arduino API on bare metal, as C++ sources, and how to build it."""
