// Which build this is. A sketch's build defines both, in a file of its own, so that the objects of
// the core are the same for every sketch and can be kept.
#pragma once

extern const char benchBuildId[];     // 12 hexadecimal digits
extern const char benchDesignHash[];  // 12 hexadecimal digits, or "none"
