#include "bench/identity.h"

// Stand in when a sketch is linked without an identity of its own.
__attribute__((weak)) extern const char benchBuildId[] = "000000000000";
__attribute__((weak)) extern const char benchDesignHash[] = "none";
