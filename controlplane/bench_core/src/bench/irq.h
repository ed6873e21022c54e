// Interrupts masked for the life of an object.
#pragma once

#include "bench/port.h"

namespace bench {

class IrqLock {
 public:
  IrqLock() : state_(port::irqSave()) {}
  ~IrqLock() { port::irqRestore(state_); }
  IrqLock(const IrqLock &) = delete;
  IrqLock &operator=(const IrqLock &) = delete;

 private:
  uint32_t state_;
};

}  // namespace bench
