// The Arduino String: a growing text with value semantics.
#pragma once

#include <stddef.h>
#include <stdint.h>

class __FlashStringHelper;

class String {
 public:
  String(const char *text = "");
  String(const char *text, size_t length);
  String(const __FlashStringHelper *text) : String(reinterpret_cast<const char *>(text)) {}
  String(const String &other);
  String(String &&other) noexcept;
  explicit String(char c);
  explicit String(unsigned char value, unsigned char base = 10);
  explicit String(int value, unsigned char base = 10);
  explicit String(unsigned int value, unsigned char base = 10);
  explicit String(long value, unsigned char base = 10);
  explicit String(unsigned long value, unsigned char base = 10);
  explicit String(long long value, unsigned char base = 10);
  explicit String(unsigned long long value, unsigned char base = 10);
  explicit String(float value, unsigned char decimals = 2);
  explicit String(double value, unsigned char decimals = 2);
  ~String();

  String &operator=(const String &other);
  String &operator=(String &&other) noexcept;
  String &operator=(const char *text);
  String &operator=(const __FlashStringHelper *text) {
    return *this = reinterpret_cast<const char *>(text);
  }

  // Makes room for `length` characters. When memory is short the String stays as it was.
  bool reserve(size_t length);
  size_t length() const { return length_; }
  bool isEmpty() const { return length_ == 0; }
  const char *c_str() const { return text_ != nullptr ? text_ : ""; }
  char *begin() { return text_; }
  char *end() { return text_ + length_; }
  const char *begin() const { return c_str(); }
  const char *end() const { return c_str() + length_; }

  bool concat(const char *text, size_t length);
  bool concat(const char *text) { return text != nullptr && concat(text, __builtin_strlen(text)); }
  bool concat(const __FlashStringHelper *text) {
    return concat(reinterpret_cast<const char *>(text));
  }
  bool concat(const String &other) { return concat(other.c_str(), other.length_); }
  bool concat(char c) { return concat(&c, 1); }
  template <class Number>
  bool concat(Number value) {
    return concat(String(value));
  }
  String &operator+=(const char *text) {
    concat(text);
    return *this;
  }
  template <class T>
  String &operator+=(const T &value) {
    concat(value);
    return *this;
  }

  int compareTo(const String &other) const;
  bool equals(const String &other) const { return compareTo(other) == 0; }
  bool equalsIgnoreCase(const String &other) const;
  bool startsWith(const String &prefix, size_t from = 0) const;
  bool endsWith(const String &suffix) const;

  // A position past the end reads as 0 and cannot be written.
  char charAt(size_t index) const { return index < length_ ? text_[index] : '\0'; }
  void setCharAt(size_t index, char c) {
    if (index < length_) text_[index] = c;
  }
  char operator[](size_t index) const { return charAt(index); }
  char &operator[](size_t index);
  void getBytes(unsigned char *out, size_t size, size_t from = 0) const;
  void toCharArray(char *out, size_t size, size_t from = 0) const {
    getBytes(reinterpret_cast<unsigned char *>(out), size, from);
  }

  // -1 when there is no such position.
  int indexOf(char c, size_t from = 0) const;
  int indexOf(const String &part, size_t from = 0) const;
  int lastIndexOf(char c) const { return lastIndexOf(c, length_); }
  int lastIndexOf(char c, size_t from) const;
  int lastIndexOf(const String &part) const { return lastIndexOf(part, length_); }
  int lastIndexOf(const String &part, size_t from) const;
  String substring(size_t from) const { return substring(from, length_); }
  String substring(size_t from, size_t to) const;

  void replace(char from, char to);
  void replace(const String &from, const String &to);
  void remove(size_t index) { remove(index, length_); }
  void remove(size_t index, size_t count);
  void toLowerCase();
  void toUpperCase();
  void trim();

  // 0 when the text does not start with a number.
  long toInt() const;
  float toFloat() const { return static_cast<float>(toDouble()); }
  double toDouble() const;

 private:
  void moveFrom(String &other) noexcept;
  void setUnsigned(unsigned long long value, unsigned base);
  void setSigned(long long value, unsigned base, unsigned bits);
  void setReal(double value, unsigned decimals);
  bool matchesAt(size_t index, const String &part) const;

  char *text_ = nullptr;
  size_t length_ = 0;
  size_t capacity_ = 0;
};

inline bool operator==(const String &a, const String &b) { return a.compareTo(b) == 0; }
inline bool operator!=(const String &a, const String &b) { return a.compareTo(b) != 0; }
inline bool operator<(const String &a, const String &b) { return a.compareTo(b) < 0; }
inline bool operator>(const String &a, const String &b) { return a.compareTo(b) > 0; }
inline bool operator<=(const String &a, const String &b) { return a.compareTo(b) <= 0; }
inline bool operator>=(const String &a, const String &b) { return a.compareTo(b) >= 0; }

// The left side is taken by value: in a + b + c each step moves the buffer on instead of copying.
inline String operator+(String left, const char *right) {
  left += right;
  return left;
}
template <class T>
inline String operator+(String left, const T &right) {
  left += right;
  return left;
}
inline String operator+(const char *left, const String &right) {
  String sum(left);
  sum += right;
  return sum;
}
inline String operator+(char left, const String &right) {
  String sum(left);
  sum += right;
  return sum;
}
