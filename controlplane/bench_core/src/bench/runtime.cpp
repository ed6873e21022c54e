// The part of a C++ runtime that a sketch without exceptions needs, and the C library's door to an
// operating system that is not there.
#include "bench/runtime.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <new>

#include "bench/port.h"

extern "C" {

typedef void (*Constructor)();
extern Constructor __init_array_start[];
extern Constructor __init_array_end[];
extern char _heap_start[];
extern char _heap_end[];

void *__dso_handle = nullptr;

[[noreturn]] void abort() {
  // The call itself: what stands behind a call that never returns may be another function.
  const uint32_t caller =
      static_cast<uint32_t>((reinterpret_cast<uintptr_t>(__builtin_return_address(0)) & ~1U) - 2);
  bench::onFault(port::abortFault(caller));
}

[[noreturn]] void _exit(int) { abort(); }

void __cxa_pure_virtual() { abort(); }
void __cxa_deleted_virtual() { abort(); }
// Nothing is ever destroyed at the end: there is no end.
int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }

void *_sbrk(ptrdiff_t increment) {
  static char *top = _heap_start;
  if (increment > _heap_end - top) {
    errno = ENOMEM;
    return reinterpret_cast<void *>(-1);
  }
  char *block = top;
  top += increment;
  return block;
}

// printf() to a stream goes nowhere; a sketch prints with Serial.
int _write(int, const void *, int count) { return count; }
int _read(int, void *, int) { return 0; }
int _close(int) { return -1; }
int _fstat(int, struct stat *) { return -1; }
int _isatty(int) { return 1; }
int _lseek(int, int, int) { return 0; }
int _kill(int, int) { return -1; }
int _getpid() { return 1; }

}  // extern "C"

namespace bench {

void runConstructors() {
  for (Constructor *each = __init_array_start; each != __init_array_end; each++) (*each)();
}

}  // namespace bench

void *operator new(size_t size) {
  void *block = malloc(size != 0 ? size : 1);
  if (block == nullptr) abort();
  return block;
}
void *operator new[](size_t size) { return operator new(size); }
void *operator new(size_t size, const std::nothrow_t &) noexcept {
  return malloc(size != 0 ? size : 1);
}
void *operator new[](size_t size, const std::nothrow_t &) noexcept {
  return malloc(size != 0 ? size : 1);
}
void operator delete(void *block) noexcept { free(block); }
void operator delete[](void *block) noexcept { free(block); }
void operator delete(void *block, size_t) noexcept { free(block); }
void operator delete[](void *block, size_t) noexcept { free(block); }
