// What this part is: its line's limits and its package's pads, as the catalogue's entry says
// (families/stm32f4.py hands them over).
#pragma once

#include "clock_plan.hpp"
#include "package.hpp"

namespace stm32f4 {

constexpr PartLimits kLimits = BENCH_LIMITS;
constexpr Package kPackage = {{BENCH_PADS}};

}  // namespace stm32f4
