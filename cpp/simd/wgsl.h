// A lane whose values are the names of constants in a WGSL function body: every operation writes one line,
// `let t3 = t1 * t2;`, and assigning to a value only renames it. So what a kernel computes on this lane is the
// text of a shader that makes the same operations in the same order. It computes no numbers, and it is no part
// of a step: shader.cc runs it once for each shader.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace simdescent {

struct Wgsl {
  static constexpr uint32_t lanes = 1;

  // Where the lines go. One listing is open at a time; operations outside one are a bug of the caller.
  struct Listing {
    std::string text;
    uint32_t count = 0;

    Listing() { current = this; }
    ~Listing() { current = nullptr; }
    Listing(const Listing&) = delete;
    Listing& operator=(const Listing&) = delete;
    static inline Listing* current = nullptr;
  };

  std::string name;

  Wgsl(float constant) : name("T(" + std::to_string(int(constant)) + ".0)") {}  // rules have whole ones only
  explicit Wgsl(std::string_view operand) : name(operand) {}

  // A new constant for an expression.
  static Wgsl let(const std::string& expression) {
    Listing& listing = *Listing::current;
    Wgsl result("t" + std::to_string(listing.count++));
    listing.text += "  let " + result.name + " = " + expression + ";\n";
    return result;
  }
};

inline Wgsl operator+(const Wgsl& a, const Wgsl& b) { return Wgsl::let(a.name + " + " + b.name); }
inline Wgsl operator-(const Wgsl& a, const Wgsl& b) { return Wgsl::let(a.name + " - " + b.name); }
inline Wgsl operator*(const Wgsl& a, const Wgsl& b) { return Wgsl::let(a.name + " * " + b.name); }
inline Wgsl operator/(const Wgsl& a, const Wgsl& b) { return Wgsl::let(a.name + " / " + b.name); }
inline Wgsl sqrt(const Wgsl& a) { return Wgsl::let("sqrt(" + a.name + ")"); }
inline Wgsl abs(const Wgsl& a) { return Wgsl::let("abs(" + a.name + ")"); }
inline Wgsl at_least(const Wgsl& a, const Wgsl& b) {
  return Wgsl::let("at_least(" + a.name + ", " + b.name + ")");
}
inline Wgsl at_most(const Wgsl& a, const Wgsl& b) {
  return Wgsl::let("at_most(" + a.name + ", " + b.name + ")");
}
inline Wgsl max_magnitude(const Wgsl& a, const Wgsl& b) {
  return Wgsl::let("max_magnitude(" + a.name + ", " + b.name + ")");
}

// The last three in WGSL, as f32x1.h has them. A shader compiler may assume that there are no NaNs, so what a
// NaN decides is decided on the bits.
inline constexpr std::string_view wgsl_functions = R"(
fn is_nan(x: T) -> B { return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u); }
fn at_least(a: T, b: T) -> T { return select(a, b, (a < b) & !is_nan(a)); }
fn at_most(a: T, b: T) -> T { return select(a, b, (b < a) & !is_nan(a)); }
fn max_magnitude(a: T, b: T) -> T {
  return bitcast<T>(max(bitcast<U>(a) & U(0x7fffffffu), bitcast<U>(b) & U(0x7fffffffu)));
}
)";

}  // namespace simdescent
