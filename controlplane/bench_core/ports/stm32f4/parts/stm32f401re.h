// What this part's silicon and package are.
#pragma once

#include "clock_plan.hpp"
#include "package.hpp"

namespace stm32f4 {

constexpr PartLimits kLimits = kF401;
constexpr Package kPackage = kLqfp64;

}  // namespace stm32f4
