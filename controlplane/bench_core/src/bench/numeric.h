// min, max, abs, constrain and sq as function templates: an argument is evaluated once, and mixed
// types work as they do with the macros of the reference.
#pragma once

#undef min
#undef max
#undef abs

template <class A, class B>
constexpr auto min(A a, B b) {
  return b < a ? b : a;
}

template <class A, class B>
constexpr auto max(A a, B b) {
  return a < b ? b : a;
}

template <class T>
constexpr T abs(T x) {
  return x < 0 ? -x : x;
}

template <class T, class L, class H>
constexpr auto constrain(T x, L low, H high) {
  return x < low ? low : (x > high ? high : x);
}

template <class T>
constexpr auto sq(T x) {
  return x * x;
}
