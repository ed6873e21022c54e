// What the C++ language and the C library need below them.
#pragma once

namespace bench {

// Runs the constructors of global objects in link order.
void runConstructors();

}  // namespace bench
