// From reset to main(), the vector table, and the start of the port.
#include <stdint.h>

#include "bench/port.h"
#include "part.h"
#include "port_state.h"
#include "registers.h"

extern "C" {

// From the linker script.
extern uint32_t _sidata[];
extern uint32_t _sdata[];
extern uint32_t _edata[];
extern uint32_t _sbss[];
extern uint32_t _ebss[];
extern uint32_t _estack[];

int main();

[[noreturn]] void Reset_Handler() {
  // Full access to the FPU before any code that may use it (DDI0403E B3.2.20).
  stm32f4::reg(stm32f4::kCpacr) |= 0xFU << 20;
  __asm volatile("dsb\n isb" ::: "memory");
  for (uint32_t *from = _sidata, *to = _sdata; to < _edata;) *to++ = *from++;
  for (uint32_t *to = _sbss; to < _ebss;) *to++ = 0;
  main();
  for (;;) {
  }
}

void NMI_Handler();
void HardFault_Handler();
void MemManage_Handler();
void BusFault_Handler();
void UsageFault_Handler();
void SysTick_Handler();
void Unexpected_Handler();

// Weak, so that only what is linked is served; the rest ends in a record that names its number.
#define SERVED(name) void name() __attribute__((weak, alias("Unexpected_Handler")))
SERVED(EXTI0_IRQHandler);
SERVED(EXTI1_IRQHandler);
SERVED(EXTI2_IRQHandler);
SERVED(EXTI3_IRQHandler);
SERVED(EXTI4_IRQHandler);
SERVED(EXTI9_5_IRQHandler);
SERVED(EXTI15_10_IRQHandler);
SERVED(USART1_IRQHandler);
SERVED(USART2_IRQHandler);

void Unexpected_Handler() {
  const uint32_t number = stm32f4::reg(stm32f4::kIcsr) & 0x1FF;
  bench::onFault(stm32f4::faultOf("irq", 0, 0, 0, 0, number));
}

}  // extern "C"

namespace {

typedef void (*Handler)();

constexpr uint32_t kSystemVectors = 16;
// Interrupts 0 to 81, RM0090 table 61; those that are used here have the same numbers on all lines.
constexpr uint32_t kInterrupts = 82;

struct VectorTable {
  uint32_t *stack;
  Handler system[kSystemVectors - 1];
  Handler interrupt[kInterrupts];
};

constexpr VectorTable makeVectors() {
  VectorTable table = {};
  table.stack = _estack;
  for (Handler &handler : table.system) handler = Unexpected_Handler;
  for (Handler &handler : table.interrupt) handler = Unexpected_Handler;
  table.system[0] = Reset_Handler;
  table.system[1] = NMI_Handler;
  table.system[2] = HardFault_Handler;
  table.system[3] = MemManage_Handler;
  table.system[4] = BusFault_Handler;
  table.system[5] = UsageFault_Handler;
  table.system[14] = SysTick_Handler;
  table.interrupt[6] = EXTI0_IRQHandler;
  table.interrupt[7] = EXTI1_IRQHandler;
  table.interrupt[8] = EXTI2_IRQHandler;
  table.interrupt[9] = EXTI3_IRQHandler;
  table.interrupt[10] = EXTI4_IRQHandler;
  table.interrupt[23] = EXTI9_5_IRQHandler;
  table.interrupt[37] = USART1_IRQHandler;
  table.interrupt[38] = USART2_IRQHandler;
  table.interrupt[40] = EXTI15_10_IRQHandler;
  return table;
}

}  // namespace

__attribute__((section(".isr_vector"), used)) constexpr VectorTable vectors = makeVectors();

namespace stm32f4 {

void enableInterrupt(uint32_t number, uint32_t priority) {
  // Four bits of priority are implemented, at the top of each byte (PM0214 4.2.7).
  *reinterpret_cast<volatile uint8_t *>(static_cast<uintptr_t>(kNvicIpr + number)) =
      static_cast<uint8_t>(priority << 4);
  reg(kNvicIser + 4 * (number / 32)) = bit(number % 32);
}

}  // namespace stm32f4

namespace port {

using namespace stm32f4;

extern const char kPartName[] = BENCH_PART;

void init(uint32_t consoleBaud) {
  enableFaults();
  startClocks();
  reg(kRccAhb1enr) |= kPackage.portClocks();
  reg(kRccApb2enr) |= bit(14);  // SYSCFG
  enableConsoleClock();
  __asm volatile("dsb" ::: "memory");  // two cycles before the first use (section 7.2.15)
  startConsole();
  if (consoleBaud != 0) consoleBegin(consoleBaud);
}

void start() {
  startTick();
  irqEnable();
}

uint32_t irqSave() {
  uint32_t state;
  __asm volatile("mrs %0, primask\n cpsid i" : "=r"(state)::"memory");
  return state;
}
void irqRestore(uint32_t state) { __asm volatile("msr primask, %0" ::"r"(state) : "memory"); }
void irqEnable() { __asm volatile("cpsie i" ::: "memory"); }

bool inInterrupt() {
  uint32_t number;
  __asm volatile("mrs %0, ipsr" : "=r"(number));
  return number != 0;
}

bool canSleep() {
  uint32_t masked;
  __asm volatile("mrs %0, primask" : "=r"(masked));
  return masked == 0 && !inInterrupt();
}

void sleepMasked() { __asm volatile("dsb\n wfi" ::: "memory"); }

// Sector 1: 16 KiB, the smallest that is not the vectors' (RM0090 table 5).
const uint8_t *stimulusTable() { return reinterpret_cast<const uint8_t *>(0x08004000); }
const uint8_t *deviceConfig() { return reinterpret_cast<const uint8_t *>(0x0800C000); }

}  // namespace port
