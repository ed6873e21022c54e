"""The peripherals of an ESP32-C3, each a small model of its registers.

Offsets and bits are from Espressif's register headers for this chip (ESP-IDF,
components/soc/esp32c3: systimer_reg.h, interrupts.h, apb_saradc_reg.h, gpio_reg.h and
reset_reasons.h were read); what is "from the manual, not checked against it" says so.
Nothing here was tried against silicon.
"""
