// The console: the board's USART, 8N1.
#include BENCH_VARIANT_HEADER

#include "bench/console.h"
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace stm32f4 {
namespace {

struct Usart {
  uint32_t base;
  uint32_t interrupt;
  // Where its clock is turned on: register and bit; on which bus it is.
  uint32_t enableRegister;
  uint32_t enableBit;
  bool onApb2;
};

// USART1 on APB2, USART2 on APB1: RM0090 tables 1 and 61, sections 7.3.14 and 7.3.15.
constexpr Usart usartOf(uint32_t number) {
  return number == 1 ? Usart{kUsart1, kIrqUsart1, kRccApb2enr, bit(4), true}
                     : Usart{kUsart2, kIrqUsart2, kRccApb1enr, bit(17), false};
}

static_assert(bench_variant::kConsoleUsart == 1 || bench_variant::kConsoleUsart == 2, "USART1 or USART2");
constexpr Usart kConsole = usartOf(bench_variant::kConsoleUsart);

constexpr uint32_t kSr = kConsole.base + kUsartSr;
constexpr uint32_t kDr = kConsole.base + kUsartDr;
constexpr uint32_t kBrr = kConsole.base + kUsartBrr;
constexpr uint32_t kCr1 = kConsole.base + kUsartCr1;

// USART_SR, section 30.6.1.
constexpr uint32_t kTxEmpty = bit(7);
constexpr uint32_t kTxComplete = bit(6);
constexpr uint32_t kRxFull = bit(5);
constexpr uint32_t kRxOverrun = bit(3);
// USART_CR1, section 30.6.4: enable, transmitter, receiver, receive interrupt.
constexpr uint32_t kRunning = bit(13) | bit(3) | bit(2) | bit(5);
constexpr uint32_t kTxInterrupt = bit(7);

bool txInterruptOn;

#ifdef BENCH_TEST

// QEMU's USART takes every byte at once, so that firmware could print without end and never wait.
// In a simulator bytes leave no faster than over the line: those that would still be on their way
// fill a fifo, as large as that of an ESP32-C3.
constexpr uint32_t kByteUs = 10 * 1000000 / bench::kDefaultBaud;
constexpr uint32_t kLineUs = 128 * kByteUs;

// When the last byte that was taken has left.
uint32_t lineFreeAtUs;

void startLine() {
  startMicroseconds();
  lineFreeAtUs = 0;
}

// Microseconds for which the line is taken: never more than a full fifo, whatever the counter made
// of a long silence.
uint32_t lineTakenUs() {
  const uint32_t left = lineFreeAtUs - microseconds();
  return left > kLineUs ? 0 : left;
}

#endif

void serveConsole() {
  const uint32_t status = reg(kSr);
  // Reading the data register after the status also clears an overrun (30.6.1).
  if (status & (kRxFull | kRxOverrun)) {
    bench::onConsoleByte(static_cast<uint8_t>(reg(kDr)));
  }
  if (txInterruptOn) bench::onConsoleTxReady();
}

}  // namespace

void enableConsoleClock() {
  reg(kConsole.enableRegister) |= kConsole.enableBit;
  __asm volatile("dsb" ::: "memory");  // two cycles before the first use (section 7.2.15)
}

#ifdef BENCH_TEST
void tickConsole() {
  if (simulated()) bench::onConsoleTxReady();
}

void restConsole() {
  if (simulated()) lineFreeAtUs = microseconds();
}
#endif

void startConsole() {
  pinsToConsole();
  enableInterrupt(kConsole.interrupt, kConsolePriority);
}

}  // namespace stm32f4

namespace port {

using namespace stm32f4;

void consoleBegin(uint32_t baud) {
  reg(kBrr) = usartBrr(kConsole.onApb2 ? clocks().apb2Hz() : clocks().apb1Hz(), baud);
  reg(kCr1) = kRunning;
  txInterruptOn = false;
#ifdef BENCH_TEST
  if (simulated()) startLine();
#endif
}

#ifdef BENCH_TEST

uint32_t consoleTxRoom() {
  if (simulated()) return (kLineUs - lineTakenUs()) / kByteUs;
  return (reg(kSr) & kTxEmpty) != 0 ? 1 : 0;
}

void consoleTx(uint8_t byte) {
  reg(kDr) = byte;
  if (simulated()) lineFreeAtUs = microseconds() + lineTakenUs() + kByteUs;
}

#else

uint32_t consoleTxRoom() { return (reg(kSr) & kTxEmpty) != 0 ? 1 : 0; }
void consoleTx(uint8_t byte) { reg(kDr) = byte; }

#endif

bool consoleTxIdle() { return (reg(kSr) & kTxComplete) != 0; }

void consoleTxInterrupt(bool wanted) {
#ifdef BENCH_TEST
  // The register is always empty there: its interrupt would never rest. The tick sends on.
  if (simulated()) return;
#endif
  if (wanted == txInterruptOn) return;
  txInterruptOn = wanted;
  reg(kCr1) = wanted ? kRunning | kTxInterrupt : kRunning;
}

}  // namespace port

// Only the console's own is ever enabled.
extern "C" {
void USART1_IRQHandler() { stm32f4::serveConsole(); }
void USART2_IRQHandler() { stm32f4::serveConsole(); }
}
