// A lane whose values are constants of a WGSL function body: every operation writes one line,
// `let t3 = t1 * t2;`, and assigning to a value only renames it. So what a kernel computes on this lane is
// the text of a shader that makes the same operations in the same order. It computes no numbers, and it is no
// part of a step: shader.cc runs it once for each shader. Made for a small module, not for speed.
#pragma once
#include <bit>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simd/bits.h"

namespace simdescent {

struct Wgsl {
  static constexpr uint32_t lanes = 1;

  // Where the lines go: into the listing that was opened last. An operation outside one is a bug of the
  // caller.
  struct Listing {
    std::string text;
    std::vector<std::string> names;
    uint32_t count = 0;

    Listing* const outer = current;

    Listing() { current = this; }
    ~Listing() { current = outer; }
    Listing(const Listing&) = delete;
    Listing& operator=(const Listing&) = delete;
    static inline Listing* current = nullptr;
  };

  uint32_t id;  // of its name: a handle, so that kernels that copy values copy no text

  Wgsl() = default;
  Wgsl(float x) : Wgsl(constant(x)) {}
  [[gnu::noinline]] explicit Wgsl(std::string_view operand) : id(uint32_t(Listing::current->names.size())) {
    Listing::current->names.emplace_back(operand);
  }

  // By its bits: the module has no text of floats.
  static std::string constant(float x) {
    if (x == 0) return "T(0.0)";
    return "T(bitcast<f32>(" + std::to_string(std::bit_cast<uint32_t>(x)) + "u))";
  }

  const std::string& name() const { return Listing::current->names[id]; }
};

// A new constant for `a op b`, or for the call op(a), op(a, b) or op(a, b, c).
[[gnu::noinline]] inline Wgsl let(std::string_view op, Wgsl a, const Wgsl* b, bool infix,
                                  const Wgsl* c = nullptr) {
  Wgsl::Listing& listing = *Wgsl::Listing::current;
  const Wgsl result("t" + std::to_string(listing.count++));
  std::string& text = listing.text;
  text += "  let ";
  text += result.name();
  text += " = ";
  if (!infix) (text += op) += "(";
  text += a.name();
  if (b) {
    if (infix) {
      ((text += " ") += op) += " ";
    } else {
      text += ", ";
    }
    text += b->name();
  }
  if (c) (text += ", ") += c->name();
  text += infix ? ";\n" : ");\n";
  return result;
}

inline Wgsl operator+(Wgsl a, Wgsl b) { return let("+", a, &b, true); }
inline Wgsl operator-(Wgsl a, Wgsl b) { return let("-", a, &b, true); }
inline Wgsl operator*(Wgsl a, Wgsl b) { return let("*", a, &b, true); }
inline Wgsl operator/(Wgsl a, Wgsl b) { return let("/", a, &b, true); }
inline Wgsl divided(Wgsl a, Wgsl b) { return a / b; }
inline Wgsl sqrt(Wgsl a) { return let("sqrt", a, nullptr, false); }
inline Wgsl abs(Wgsl a) { return let("abs", a, nullptr, false); }
inline Wgsl sign(Wgsl a) { return let("sign_of", a, nullptr, false); }
inline Wgsl power(Wgsl a, Wgsl b) { return let("pow", a, &b, false); }
inline Wgsl at_least(Wgsl a, Wgsl b) { return let("at_least", a, &b, false); }
inline Wgsl at_most(Wgsl a, Wgsl b) { return let("at_most", a, &b, false); }
inline Wgsl if_positive(Wgsl a, Wgsl then, Wgsl otherwise) {
  return let("if_positive", a, &then, false, &otherwise);
}
inline Wgsl max_magnitude(Wgsl a, Wgsl b) { return let("max_magnitude", a, &b, false); }

// Its bits.
struct WgslBits {
  Wgsl text;

  WgslBits() = default;
  explicit WgslBits(Wgsl name) : text(name) {}
  explicit WgslBits(std::string_view operand) : text(operand) {}
  WgslBits(uint32_t x) : text("U(" + std::to_string(x) + "u)") {}
  const std::string& name() const { return text.name(); }
};
template <>
struct BitsOf<Wgsl> {
  using type = WgslBits;
};

inline WgslBits let(std::string_view op, WgslBits a, WgslBits b, bool infix = true) {
  return WgslBits(let(op, a.text, &b.text, infix));
}
inline WgslBits operator+(WgslBits a, WgslBits b) { return let("+", a, b); }
inline WgslBits operator-(WgslBits a, WgslBits b) { return let("-", a, b); }
inline WgslBits operator*(WgslBits a, WgslBits b) { return let("*", a, b); }
inline WgslBits operator&(WgslBits a, WgslBits b) { return let("&", a, b); }
inline WgslBits operator|(WgslBits a, WgslBits b) { return let("|", a, b); }
inline WgslBits operator^(WgslBits a, WgslBits b) { return let("^", a, b); }
inline WgslBits operator>>(WgslBits a, int k) { return let(">>", a, uint32_t(k)); }
inline WgslBits operator<<(WgslBits a, int k) { return let("<<", a, uint32_t(k)); }
inline WgslBits above(WgslBits a, WgslBits b) { return let("above", a, b, false); }
inline WgslBits bits(Wgsl a) { return WgslBits(let("bitcast<U>", a, nullptr, false)); }
inline Wgsl of_bits(WgslBits a) { return let("bitcast<T>", a.text, nullptr, false); }

// Halves of them, each in an integer of its own.
struct WgslHalves {
  static constexpr uint32_t vectors = 1;
  WgslBits v;
  WgslHalves(WgslBits x) : v(x) {}
  WgslHalves(uint32_t x) : v(x) {}
  static WgslHalves upper(const Wgsl (&x)[1]) { return bits(x[0]) >> 16; }
  static WgslHalves lower(const Wgsl (&x)[1]) { return bits(x[0]) & WgslBits(0xffff); }
  void floats(Wgsl (&x)[1]) const { x[0] = of_bits(v << 16); }
};
template <>
struct HalvesOf<Wgsl> {
  using type = WgslHalves;
};
inline WgslHalves operator+(WgslHalves a, WgslHalves b) { return (a.v + b.v) & WgslBits(0xffff); }
inline WgslHalves operator-(WgslHalves a, WgslHalves b) { return (a.v - b.v) & WgslBits(0xffff); }
inline WgslHalves operator*(WgslHalves a, WgslHalves b) { return (a.v * b.v) & WgslBits(0xffff); }
inline WgslHalves operator&(WgslHalves a, WgslHalves b) { return a.v & b.v; }
inline WgslHalves operator^(WgslHalves a, WgslHalves b) { return a.v ^ b.v; }
inline WgslHalves least(WgslHalves a, WgslHalves b) { return let("min", a.v, b.v, false); }
inline WgslHalves one_more_if_above(WgslHalves a, WgslHalves x, WgslHalves y) {
  const WgslBits above_y = above(x.v << 16, y.v << 16), may_grow = above(a.v ^ WgslBits(0x7fff), WgslBits(0));
  return a.v + (above_y & may_grow & WgslBits(1));
}

// What a kernel computes, as a function of the parameters that `head` names.
template <class F>
std::string function(std::string_view head, F compute) {
  const Wgsl::Listing listing;
  const std::string result = compute().name();
  return std::string(head) + " {\n" + listing.text + "  return " + result + ";\n}\n";
}

// A text with words in the place of names.
inline std::string with(std::string text,
                        std::initializer_list<std::pair<std::string_view, std::string_view>> words) {
  for (const auto& [name, value] : words) {
    for (size_t at; (at = text.find(name)) != text.npos;) text.replace(at, name.size(), value);
  }
  return text;
}

// What WGSL does not have, as f32x1.h has it. A shader compiler may assume that there are no NaNs, so what a
// NaN decides is decided on the bits.
inline constexpr std::string_view wgsl_functions = R"(
fn is_nan(x: T) -> B { return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u); }
fn at_least(a: T, b: T) -> T { return select(a, b, (a < b) & !is_nan(a)); }
fn at_most(a: T, b: T) -> T { return select(a, b, (b < a) & !is_nan(a)); }
fn sign_of(x: T) -> T { return select(sign(x), x, is_nan(x)); }
fn if_positive(a: T, x: T, y: T) -> T { return select(y, x, (a > T(0.0)) & !is_nan(a)); }
fn max_magnitude(a: T, b: T) -> T {
  return bitcast<T>(max(bitcast<U>(a) & U(0x7fffffffu), bitcast<U>(b) & U(0x7fffffffu)));
}
)";

// The same for bits, as bits.h has it.
inline constexpr std::string_view wgsl_bits_functions = R"(
fn above(a: U, b: U) -> U { return select(U(0u), U(0xffffffffu), bitcast<I>(a) > bitcast<I>(b)); }
)";

}  // namespace simdescent
