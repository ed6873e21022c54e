// Pin interrupts. Each pin has its own, so none is ever taken. Not tried on hardware.
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace esp32c3 {
namespace {

// GPIO_PIN bits 7 to 9: 1 rising, 2 falling, 3 both; bit 13 lets it through to the processor.
constexpr uint32_t kTypeShift = 7;
constexpr uint32_t kEdgeBits = (7U << kTypeShift) | bit(13) | bit(14);
constexpr uint32_t kToProcessor = bit(13);

uint32_t typeOf(port::Edge edge) {
  switch (edge) {
    case port::Edge::kRising: return 1;
    case port::Edge::kFalling: return 2;
    default: return 3;
  }
}

void setEdge(uint32_t pin, uint32_t value) {
  reg(gpioPin(pin)) = (reg(gpioPin(pin)) & ~kEdgeBits) | value;
}

}  // namespace

void onEdgeInterrupt() {
  uint32_t pending = reg(kGpioStatus);
  reg(kGpioStatusClear) = pending;
  for (uint32_t pin = 0; pending != 0; pin++, pending >>= 1) {
    if (pending & 1) bench::onEdge(pin);
  }
}

}  // namespace esp32c3

namespace port {

using namespace esp32c3;

bool edgeEnable(uint32_t pin, Edge edge) {
  const uint32_t state = irqSave();
  setEdge(pin, 0);
  reg(kGpioStatusClear) = bit(pin);
  setEdge(pin, (typeOf(edge) << kTypeShift) | kToProcessor);
  enableInterrupt(kSourceGpio, kLineEdge, kPriorityEdge);
  irqRestore(state);
  return true;
}

void edgeDisable(uint32_t pin) {
  const uint32_t state = irqSave();
  setEdge(pin, 0);
  reg(kGpioStatusClear) = bit(pin);
  irqRestore(state);
}

}  // namespace port
