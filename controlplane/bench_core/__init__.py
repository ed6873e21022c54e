"""The bench core: the Arduino API on bare metal, as C++ sources, and the facts needed to build it."""
