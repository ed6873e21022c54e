// The console: UART0 on GPIO21 (out) and GPIO20 (in), 8N1.
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"
#include "uart_plan.hpp"

namespace esp32c3 {
namespace {

// UART_STATUS: bytes in the receiving and in the sending fifo.
uint32_t received() { return reg(kUartStatus) & 0x3FF; }
uint32_t unsent() { return (reg(kUartStatus) >> 16) & 0x3FF; }
constexpr uint32_t kFifoBytes = 128;

constexpr uint32_t kRxFull = bit(0);
constexpr uint32_t kTxEmpty = bit(1);
constexpr uint32_t kRxOverflow = bit(4);
constexpr uint32_t kRxTimeout = bit(8);
constexpr uint32_t kRxInterrupts = kRxFull | kRxOverflow | kRxTimeout;

// UART_CONF0: 8 data bits, 1 stop bit; bit 28 clocks the fifo memory.
constexpr uint32_t k8N1 = (3U << 2) | (1U << 4) | bit(28);
// UART_CONF1: an interrupt for every byte in, one when 32 are left to send, and one when the line
// has been quiet.
constexpr uint32_t kThresholds = 1 | (32U << 9) | bit(21);

bool txInterruptOn;

}  // namespace

void startConsole() {
  // IO_MUX function 0 is the UART's own pin; GPIO20 takes input with a pull-up, so that an open
  // line is idle. Drive strength 2 is the reset value.
  reg(ioMux(21)) = 2U << 10;
  reg(ioMux(20)) = (2U << 10) | bit(9) | bit(8);
  reg(kUartIntEnable) = 0;
  enableInterrupt(kSourceUart0, kLineConsole, kPriorityConsole);
}

void onConsoleInterrupt() {
  const uint32_t status = reg(kUartIntStatus);
  reg(kUartIntClear) = status;
  if (status & kRxInterrupts) {
    while (received() > 0) bench::onConsoleByte(static_cast<uint8_t>(reg(kUartFifo)));
  }
  if (txInterruptOn) bench::onConsoleTxReady();
}

}  // namespace esp32c3

namespace port {

using namespace esp32c3;

void consoleBegin(uint32_t baud) {
  const UartDivisors divisors = uartDivisors(kXtalHz, baud);
  reg(kUartClkConf) = divisors.clkConf();
  reg(kUartClkdiv) = divisors.clkdiv();
  reg(kUartConf0) = k8N1;
  reg(kUartConf1) = kThresholds;
  txInterruptOn = false;
  reg(kUartIntClear) = kRxInterrupts | kTxEmpty;
  reg(kUartIntEnable) = kRxInterrupts;
}

uint32_t consoleTxRoom() {
  const uint32_t waiting = unsent();
  return waiting < kFifoBytes ? kFifoBytes - waiting : 0;
}
// UART_FSM_STATUS bits 4 to 7: what the sender does, 0 is nothing.
bool consoleTxIdle() { return unsent() == 0 && (reg(kUartFsmStatus) & 0xF0) == 0; }
void consoleTx(uint8_t byte) { reg(kUartFifo) = byte; }

void consoleTxInterrupt(bool wanted) {
  if (wanted == txInterruptOn) return;
  txInterruptOn = wanted;
  reg(kUartIntEnable) = wanted ? kRxInterrupts | kTxEmpty : kRxInterrupts;
}

}  // namespace port
