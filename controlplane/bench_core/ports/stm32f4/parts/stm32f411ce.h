// What this part's silicon and package are.
#pragma once

#include "clock_plan.hpp"
#include "package.hpp"

namespace stm32f4 {

constexpr PartLimits kLimits = kF411;
constexpr Package kPackage = kUfqfpn48;

}  // namespace stm32f4
