// Optional test points: values, events and states that a scenario can check by name. They are in
// the console of a test build; in a release build each call compiles to nothing.
#pragma once

class Bench {
 public:
#ifdef BENCH_TEST
  void val(const char *name, long value);
  void val(const char *name, unsigned long value);
  void val(const char *name, double value, int decimals = 2);
  void evt(const char *name, const char *text = nullptr);
  void state(const char *name, const char *word);
#else
  void val(const char *, long) {}
  void val(const char *, unsigned long) {}
  void val(const char *, double, int = 2) {}
  void evt(const char *, const char * = nullptr) {}
  void state(const char *, const char *) {}
#endif
  void val(const char *name, int value) { val(name, static_cast<long>(value)); }
  void val(const char *name, unsigned int value) { val(name, static_cast<unsigned long>(value)); }
};

extern Bench BL;
