// Pin interrupts by EXTI. Line n serves pin n of one port at a time (RM0090 12.2.5), so two pins
// with the same number cannot both have a handler.
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace {

constexpr uint32_t kLines = 16;
constexpr uint8_t kFree = 0xFF;

uint8_t pinOfLine[kLines] = {kFree, kFree, kFree, kFree, kFree, kFree, kFree, kFree,
                             kFree, kFree, kFree, kFree, kFree, kFree, kFree, kFree};

void serve(uint32_t first, uint32_t last) {
  using namespace stm32f4;
  const uint32_t pending = reg(kExtiPr);
  for (uint32_t line = first; line <= last; line++) {
    if (!(pending & bit(line))) continue;
    reg(kExtiPr) = bit(line);  // written 1 to clear
    if (pinOfLine[line] != kFree) bench::onEdge(pinOfLine[line]);
  }
}

void setBit(uint32_t address, uint32_t number, bool on) {
  const uint32_t mask = stm32f4::bit(number);
  const uint32_t value = stm32f4::reg(address);
  stm32f4::reg(address) = on ? value | mask : value & ~mask;
}

uint32_t interruptOf(uint32_t line) {
  if (line <= 4) return stm32f4::kIrqExti0 + line;
  return line <= 9 ? stm32f4::kIrqExti9_5 : stm32f4::kIrqExti15_10;
}

}  // namespace

namespace port {

using namespace stm32f4;

bool edgeEnable(uint32_t pin, Edge edge) {
  const uint32_t line = pin % 16;
  if (pinOfLine[line] != kFree && pinOfLine[line] != pin) return false;
  const uint32_t state = irqSave();
  pinOfLine[line] = static_cast<uint8_t>(pin);
  const uint32_t select = kSyscfgExticr1 + 4 * (line / 4);
  const uint32_t shift = 4 * (line % 4);
  reg(select) = (reg(select) & ~(0xFU << shift)) | ((pin / 16) << shift);
  setBit(kExtiRtsr, line, edge != Edge::kFalling);
  setBit(kExtiFtsr, line, edge != Edge::kRising);
  reg(kExtiPr) = bit(line);
  setBit(kExtiImr, line, true);
  enableInterrupt(interruptOf(line), kEdgePriority);
  irqRestore(state);
  return true;
}

void edgeDisable(uint32_t pin) {
  const uint32_t line = pin % 16;
  if (pinOfLine[line] != pin) return;
  const uint32_t state = irqSave();
  setBit(kExtiImr, line, false);
  pinOfLine[line] = kFree;
  irqRestore(state);
}

}  // namespace port

extern "C" {
void EXTI0_IRQHandler() { serve(0, 0); }
void EXTI1_IRQHandler() { serve(1, 1); }
void EXTI2_IRQHandler() { serve(2, 2); }
void EXTI3_IRQHandler() { serve(3, 3); }
void EXTI4_IRQHandler() { serve(4, 4); }
void EXTI9_5_IRQHandler() { serve(5, 9); }
void EXTI15_10_IRQHandler() { serve(10, 15); }
}
