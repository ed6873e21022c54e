// Registers of the ESP32-C3 that this port uses. Addresses and bits: the register headers of
// ESP-IDF, components/soc/esp32c3/register/soc (systimer_reg.h, uart_reg.h, apb_saradc_reg.h),
// include/soc (io_mux_reg.h, gpio_struct.h, interrupts.h) and the base addresses in reg_base.h.
// RTC, watchdogs, clock gates and the interrupt matrix: from the technical reference manual, not
// checked against it; they work in Espressif's QEMU as far as that has them.
#pragma once

#include <stdint.h>

namespace esp32c3 {

// A register at a fixed address.
inline volatile uint32_t &reg(uint32_t address) {
  return *reinterpret_cast<volatile uint32_t *>(static_cast<uintptr_t>(address));
}

constexpr uint32_t bit(uint32_t number) { return 1U << number; }

// UART0. The fifos hold 128 bytes.
constexpr uint32_t kUart = 0x60000000;
constexpr uint32_t kUartFifo = kUart + 0x00;
constexpr uint32_t kUartIntStatus = kUart + 0x08;
constexpr uint32_t kUartIntEnable = kUart + 0x0C;
constexpr uint32_t kUartIntClear = kUart + 0x10;
constexpr uint32_t kUartClkdiv = kUart + 0x14;
constexpr uint32_t kUartStatus = kUart + 0x1C;
constexpr uint32_t kUartConf0 = kUart + 0x20;
constexpr uint32_t kUartConf1 = kUart + 0x24;
constexpr uint32_t kUartFsmStatus = kUart + 0x6C;
constexpr uint32_t kUartClkConf = kUart + 0x78;

// GPIO. A pin's register at +0x74, its output's source at +0x554.
constexpr uint32_t kGpio = 0x60004000;
constexpr uint32_t kGpioOutSet = kGpio + 0x08;
constexpr uint32_t kGpioOutClear = kGpio + 0x0C;
constexpr uint32_t kGpioEnableSet = kGpio + 0x24;
constexpr uint32_t kGpioEnableClear = kGpio + 0x28;
constexpr uint32_t kGpioIn = kGpio + 0x3C;
constexpr uint32_t kGpioStatus = kGpio + 0x44;
constexpr uint32_t kGpioStatusClear = kGpio + 0x4C;
constexpr uint32_t gpioPin(uint32_t pin) { return kGpio + 0x74 + 4 * pin; }
constexpr uint32_t gpioOutSource(uint32_t pin) { return kGpio + 0x554 + 4 * pin; }
constexpr uint32_t ioMux(uint32_t pin) { return 0x60009004 + 4 * pin; }

// RTC: watchdogs and the cause of the last reset.
constexpr uint32_t kRtc = 0x60008000;
constexpr uint32_t kRtcResetState = kRtc + 0x38;
constexpr uint32_t kRtcWdtConfig0 = kRtc + 0x90;
constexpr uint32_t kRtcWdtProtect = kRtc + 0xA8;
constexpr uint32_t kRtcSuperWdtConf = kRtc + 0xAC;
constexpr uint32_t kRtcSuperWdtProtect = kRtc + 0xB0;

// Timer groups 0 and 1, for their watchdogs only.
constexpr uint32_t kTimerGroups[2] = {0x6001F000, 0x60020000};
constexpr uint32_t kTimerWdtConfig0 = 0x48;
constexpr uint32_t kTimerWdtProtect = 0x64;

// SYSTIMER, 16 MHz.
constexpr uint32_t kSystimer = 0x60023000;
constexpr uint32_t kSystimerConf = kSystimer + 0x00;
constexpr uint32_t kSystimerUnit0Op = kSystimer + 0x04;
constexpr uint32_t kSystimerTarget1Hi = kSystimer + 0x24;
constexpr uint32_t kSystimerTarget1Lo = kSystimer + 0x28;
constexpr uint32_t kSystimerTarget0Conf = kSystimer + 0x34;
constexpr uint32_t kSystimerTarget1Conf = kSystimer + 0x38;
constexpr uint32_t kSystimerUnit0Hi = kSystimer + 0x40;
constexpr uint32_t kSystimerUnit0Lo = kSystimer + 0x44;
constexpr uint32_t kSystimerComp0Load = kSystimer + 0x50;
constexpr uint32_t kSystimerComp1Load = kSystimer + 0x54;
constexpr uint32_t kSystimerIntEnable = kSystimer + 0x64;
constexpr uint32_t kSystimerIntRaw = kSystimer + 0x68;
constexpr uint32_t kSystimerIntClear = kSystimer + 0x6C;

// SAR ADC 1, one conversion at a time.
constexpr uint32_t kAdc = 0x60040000;
constexpr uint32_t kAdcCtrl = kAdc + 0x00;
constexpr uint32_t kAdcOnetime = kAdc + 0x20;
constexpr uint32_t kAdc1Data = kAdc + 0x2C;
constexpr uint32_t kAdcIntRaw = kAdc + 0x44;
constexpr uint32_t kAdcIntClear = kAdc + 0x4C;
constexpr uint32_t kAdcClockConf = kAdc + 0x54;

// SYSTEM: clock gates, resets and the CPU's clock.
constexpr uint32_t kSystem = 0x600C0000;
constexpr uint32_t kSystemClkEnable0 = kSystem + 0x10;
constexpr uint32_t kSystemReset0 = kSystem + 0x18;
constexpr uint32_t kSystemSysclkConf = kSystem + 0x58;

// Interrupt matrix: a source's register chooses one of the processor's lines 1 to 31.
constexpr uint32_t kMatrix = 0x600C2000;
constexpr uint32_t sourceToLine(uint32_t source) { return kMatrix + 4 * source; }
constexpr uint32_t kLineEnable = kMatrix + 0x104;
constexpr uint32_t kLineType = kMatrix + 0x108;  // 0 is level
constexpr uint32_t linePriority(uint32_t line) { return kMatrix + 0x114 + 4 * line; }
constexpr uint32_t kLineThreshold = kMatrix + 0x194;

}  // namespace esp32c3
