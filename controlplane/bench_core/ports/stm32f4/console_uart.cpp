// The console: USART2 on PA2 and PA3, 8N1.
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace stm32f4 {
namespace {

// USART_SR, section 30.6.1.
constexpr uint32_t kTxEmpty = bit(7);
constexpr uint32_t kTxComplete = bit(6);
constexpr uint32_t kRxFull = bit(5);
constexpr uint32_t kRxOverrun = bit(3);
// USART_CR1, section 30.6.4: enable, transmitter, receiver, receive interrupt.
constexpr uint32_t kRunning = bit(13) | bit(3) | bit(2) | bit(5);
constexpr uint32_t kTxInterrupt = bit(7);

bool txInterruptOn;

}  // namespace

void startConsole() {
  pinsToConsole();
  enableInterrupt(kIrqUsart2, kConsolePriority);
}

}  // namespace stm32f4

namespace port {

using namespace stm32f4;

void consoleBegin(uint32_t baud) {
  reg(kUsart2Brr) = usartBrr(clocks().apb1Hz(), baud);
  reg(kUsart2Cr1) = kRunning;
  txInterruptOn = false;
}

bool consoleTxReady() { return (reg(kUsart2Sr) & kTxEmpty) != 0; }
bool consoleTxIdle() { return (reg(kUsart2Sr) & kTxComplete) != 0; }
void consoleTx(uint8_t byte) { reg(kUsart2Dr) = byte; }

void consoleTxInterrupt(bool wanted) {
  if (wanted == txInterruptOn) return;
  txInterruptOn = wanted;
  reg(kUsart2Cr1) = wanted ? kRunning | kTxInterrupt : kRunning;
}

}  // namespace port

extern "C" void USART2_IRQHandler() {
  using namespace stm32f4;
  const uint32_t status = reg(kUsart2Sr);
  // Reading the data register after the status also clears an overrun (30.6.1).
  if (status & (kRxFull | kRxOverrun)) {
    bench::onConsoleByte(static_cast<uint8_t>(reg(kUsart2Dr)));
  }
  if (txInterruptOn) bench::onConsoleTxReady();
}
