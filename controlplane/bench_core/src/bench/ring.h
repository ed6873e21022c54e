// A byte queue for one writer and one reader at a time; callers mask interrupts where they must.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bench {

template <size_t kSize>
class Ring {
  static_assert((kSize & (kSize - 1)) == 0, "indices wrap by masking");

 public:
  size_t used() const { return head_ - tail_; }
  size_t room() const { return kSize - used(); }
  void put(uint8_t byte) {
    bytes_[head_ & (kSize - 1)] = byte;
    head_ = head_ + 1;
  }
  int peek() const { return used() == 0 ? -1 : bytes_[tail_ & (kSize - 1)]; }
  int get() {
    const int byte = peek();
    if (byte >= 0) tail_ = tail_ + 1;
    return byte;
  }
  void clear() { tail_ = head_; }

 private:
  uint8_t bytes_[kSize] = {};
  volatile size_t head_ = 0;
  volatile size_t tail_ = 0;
};

}  // namespace bench
