// Registers of the STM32F4 that this port uses. Addresses: RM0090 rev 19, section 2.3 (memory
// map) and the register map at the end of each peripheral's chapter; the F401, F411 and F446 have
// the same peripherals at the same addresses (RM0368, RM0383, RM0390, section 2.3: not checked
// against them). Core registers: Arm DDI0403E (ARMv7-M), chapter B3.
#pragma once

#include <stdint.h>

namespace stm32f4 {

// A register at a fixed address.
inline volatile uint32_t &reg(uint32_t address) {
  return *reinterpret_cast<volatile uint32_t *>(static_cast<uintptr_t>(address));
}

constexpr uint32_t bit(uint32_t number) { return 1U << number; }

// RCC, section 7.3.
constexpr uint32_t kRcc = 0x40023800;
constexpr uint32_t kRccCr = kRcc + 0x00;
constexpr uint32_t kRccPllcfgr = kRcc + 0x04;
constexpr uint32_t kRccCfgr = kRcc + 0x08;
constexpr uint32_t kRccAhb1enr = kRcc + 0x30;
constexpr uint32_t kRccApb1enr = kRcc + 0x40;
constexpr uint32_t kRccApb2enr = kRcc + 0x44;
constexpr uint32_t kRccCsr = kRcc + 0x74;

// PWR, section 5.4. FLASH interface, section 3.9.
constexpr uint32_t kPwrCr = 0x40007000;
constexpr uint32_t kPwrCsr = 0x40007004;
constexpr uint32_t kFlashAcr = 0x40023C00;

// GPIO, section 8.4: ports A to I, 0x400 apart.
constexpr uint32_t gpio(uint32_t port) { return 0x40020000 + 0x400 * port; }
constexpr uint32_t kGpioModer = 0x00;
constexpr uint32_t kGpioOtyper = 0x04;
constexpr uint32_t kGpioPupdr = 0x0C;
constexpr uint32_t kGpioIdr = 0x10;
constexpr uint32_t kGpioBsrr = 0x18;
constexpr uint32_t kGpioAfrl = 0x20;

// USART, section 30.6: offsets from each one's base.
constexpr uint32_t kUsart1 = 0x40011000;
constexpr uint32_t kUsart2 = 0x40004400;
constexpr uint32_t kUsartSr = 0x00;
constexpr uint32_t kUsartDr = 0x04;
constexpr uint32_t kUsartBrr = 0x08;
constexpr uint32_t kUsartCr1 = 0x0C;

// TIM5, section 18.4: 32 bits on every line.
constexpr uint32_t kTim5 = 0x40000C00;
constexpr uint32_t kTim5Cr1 = kTim5 + 0x00;
constexpr uint32_t kTim5Egr = kTim5 + 0x14;
constexpr uint32_t kTim5Cnt = kTim5 + 0x24;
constexpr uint32_t kTim5Psc = kTim5 + 0x28;
constexpr uint32_t kTim5Arr = kTim5 + 0x2C;

// TIM11, section 19.5.
constexpr uint32_t kTim11 = 0x40014800;
constexpr uint32_t kTim11Cr1 = kTim11 + 0x00;
constexpr uint32_t kTim11Sr = kTim11 + 0x10;
constexpr uint32_t kTim11Ccmr1 = kTim11 + 0x18;
constexpr uint32_t kTim11Ccer = kTim11 + 0x20;
constexpr uint32_t kTim11Psc = kTim11 + 0x28;
constexpr uint32_t kTim11Arr = kTim11 + 0x2C;
constexpr uint32_t kTim11Ccr1 = kTim11 + 0x34;
constexpr uint32_t kTim11Or = kTim11 + 0x50;

// ADC1, section 13.13, and the registers common to the three converters.
constexpr uint32_t kAdc1 = 0x40012000;
constexpr uint32_t kAdc1Sr = kAdc1 + 0x00;
constexpr uint32_t kAdc1Cr1 = kAdc1 + 0x04;
constexpr uint32_t kAdc1Cr2 = kAdc1 + 0x08;
constexpr uint32_t kAdc1Smpr1 = kAdc1 + 0x0C;
constexpr uint32_t kAdc1Smpr2 = kAdc1 + 0x10;
constexpr uint32_t kAdc1Sqr1 = kAdc1 + 0x2C;
constexpr uint32_t kAdc1Sqr3 = kAdc1 + 0x34;
constexpr uint32_t kAdc1Dr = kAdc1 + 0x4C;
constexpr uint32_t kAdcCcr = kAdc1 + 0x304;

// EXTI, section 12.3, and SYSCFG, section 9.2.
constexpr uint32_t kExtiImr = 0x40013C00;
constexpr uint32_t kExtiRtsr = 0x40013C08;
constexpr uint32_t kExtiFtsr = 0x40013C0C;
constexpr uint32_t kExtiPr = 0x40013C14;
constexpr uint32_t kSyscfgExticr1 = 0x40013808;

// What stands still while a debugger halts the core (38.16.4).
constexpr uint32_t kDbgmcuApb1Fz = 0xE0042008;

// SysTick, NVIC and System Control Block (DDI0403E B3.2, B3.3, B3.4).
constexpr uint32_t kSystCsr = 0xE000E010;
constexpr uint32_t kSystRvr = 0xE000E014;
constexpr uint32_t kSystCvr = 0xE000E018;
constexpr uint32_t kNvicIser = 0xE000E100;
constexpr uint32_t kNvicIpr = 0xE000E400;
constexpr uint32_t kIcsr = 0xE000ED04;
constexpr uint32_t kShpr1 = 0xE000ED18;
constexpr uint32_t kShpr3 = 0xE000ED20;
constexpr uint32_t kShcsr = 0xE000ED24;
constexpr uint32_t kCfsr = 0xE000ED28;
constexpr uint32_t kHfsr = 0xE000ED2C;
constexpr uint32_t kMmfar = 0xE000ED34;
constexpr uint32_t kBfar = 0xE000ED38;
constexpr uint32_t kCpacr = 0xE000ED88;

}  // namespace stm32f4
