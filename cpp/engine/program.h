// A shader as it is being made: what becomes of an element, from values of the text lane (simd/wgsl.h), and
// the arrays and sums that it needs, in the frame of shader_frame.h. It knows no rule by name: shader.cc has
// those that go over elements, whole_shader.cc those that read whole variables.
#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/facts.h"
#include "engine/narrow_shader.h"
#include "engine/shader_frame.h"
#include "kernels/reduce.h"
#include "simd/wgsl.h"

namespace simdescent {

// As web/gpu/encode.ts binds them, after the control buffer; eight storage buffers are what every device has
// for one shader. The last ones are the room of a rule that reads whole variables.
enum Array : uint32_t { w, g, s0, s1, s2, acc, avg, x, y, p, q, array_count };
static_assert(max_slots <= acc - s0);
inline constexpr std::string_view array_names[array_count] = {"w",   "g", "s0", "s1", "s2", "acc",
                                                              "avg", "x", "y",  "p",  "q"};
inline constexpr uint32_t sums_binding = avg + 2;
constexpr uint32_t binding_of(uint32_t a) { return a < x ? a + 1 : a + 2; }
static_assert(maps_binding > binding_of(array_count - 1));

// The fields of a struct of scalars in the row.
template <class T>
T scalars(std::string_view place) {
  return fields_by<T>([&](size_t k) {
    return Wgsl("T(r." + std::string(place) + "." + std::string(field_name(field_list<T>(), k)) + ")");
  });
}
inline Pipe<Wgsl> pipe() { return scalars<Pipe<Wgsl>>("pipe"); }

// What becomes of an element, as text: which arrays are read, and what is written to them or summed. An array
// is written where its value is another one than it was.
class Program {
 public:
  explicit Program(uint32_t lanes) : lanes_(lanes) {
    for (uint32_t a = 0; a < array_count; a++)
      value_[a] = before_[a] = Wgsl("e." + std::string(array_names[a]));
  }

  // The update; of a rule in two passes the second one, by the sums of the first.
  template <Rule R>
  void update(Stages s) {
    auto c = coefficients<R>();
    stored_ = s;
    const Wgsl seen = s.monitored && s.clips ? before_clipping(s) : value_[g];
    const bool anew = s.monitored || s.storage != Storage::float32;  // the first pass has only looked
    const Wgsl before = value_[w], prepared = !two_passes<R> || anew ? gradient(s) : value_[g];
    if constexpr (two_passes<R>) {
      Wgsl found[R::sums];
      for (size_t k = 0; k < R::sums; k++) found[k] = found_sum(k, width_of<R>(s));
      R::resolve(found, c);
      const Stages there{.decay = anew && s.decay, .average = s.average};
      if (s.storage == Storage::float32) {
        through<R>(there, c, prepared);
      } else {
        through<BothPasses<R>>(there, c, prepared);
      }
    } else {
      through<R>(s, c, prepared);
    }
    if (s.monitored)
      tell(s.clips && s.grad != Grad::none ? seen : prepared, prepared, before, width_of<R>(s));
  }
  template <Rule R>
  void first(Stages s) {
    const auto c = coefficients<R>();
    const Wgsl gathered = value_[acc];
    stored_ = s;
    through<FirstPass<R>>({.decay = s.decay}, c, gradient(s));
    // A GPU has no room for the direction: the second pass finds it anew.
    constexpr uint32_t found = s0 + FirstPass<R>::found;
    const Wgsl direction = std::exchange(value_[found], before_[found]);
    use_[found] = Use::none;
    [&]<size_t... K>(std::index_sequence<K...>) {
      sum({R::template term<K>(value_[w], direction)...}, width_of<R>(s));
    }
    (std::make_index_sequence<R::sums>{});
    // Then the second pass decays, and looks at the gradient; state in fewer bits it steps from what was
    // there.
    if (s.storage != Storage::float32) std::copy(before_ + s0, before_ + acc, value_ + s0);
    if (s.monitored || s.storage != Storage::float32) value_[w] = before_[w], value_[acc] = gathered;
  }

  void gather(Stages s) {
    const Pipe<Wgsl> k = pipe();
    read(g), read(acc);
    value_[acc] = (s.exact ? value_[g] * k.scale : value_[g] / k.unscale) + value_[acc];
  }
  void move_average() {
    read(w), read(avg);
    value_[avg] = average(pipe(), value_[avg], value_[w]);
  }
  // `width`: of the sums of a row.
  void square(Stages s, size_t width) {
    read(g);
    if (s.gathers()) read(acc);
    const Wgsl x = prologue(s, pipe(), value_[g], value_[acc]);
    sum({x * x}, s.monitored ? std::max(width, told_terms) : width);
  }

  // What the programs above, and those of rules that read whole variables (whole_shader.cc), are made of. An
  // array that an element is read from; or one that the text has its own places in, which are written to or
  // not.
  Wgsl read(uint32_t a) {
    use_[a] = Use::read;
    return value_[a];
  }
  void bind(uint32_t a, bool writes) { use_[a] = writes ? Use::written : Use::bound; }
  Wgsl& value(uint32_t a) { return value_[a]; }
  // Terms to be summed over the row, which has `width` sums, from its sum `first` on; and such a sum.
  void sum(std::vector<Wgsl> terms, size_t width, size_t first = 0) {
    terms_ = std::move(terms), width_ = width, first_term_ = first;
  }
  Wgsl found_sum(size_t k, size_t width) {
    width_ = width;
    return Wgsl("T(sums[1u + r.entry][" + std::to_string(k) + "u])");
  }
  template <class R>
  CoefOf<R, Wgsl> coefficients() {
    coefs_ = field_list<CoefOf<R, Wgsl>>();
    return scalars<CoefOf<R, Wgsl>>("coef");
  }
  Wgsl gradient(Stages s) {
    read(g);
    if (s.gathers()) read(acc);
    return prepare(s, pipe(), value_[g], value_[w], value_[acc]);
  }

  // Types, the control buffer and arrays.
  std::string head() const {
    std::string out = lanes_ == 4 ? "alias T = vec4f;\nalias U = vec4u;\nalias B = vec4<bool>;\n"
                                  : "alias T = f32;\nalias U = u32;\nalias B = bool;\n";
    (out += structs(coefs_)) += frame;
    for (uint32_t a = 0; a < array_count; a++) {
      if (use_[a] == Use::none) continue;
      (out += "@group(0) @binding(") += std::to_string(binding_of(a));
      // What is atomic cannot be only read.
      ((out += written(a) || storage_of(a) != Storage::float32 ? ") var<storage, read_write> a_"
                                                               : ") var<storage, read> a_") +=
       array_names[a]) += ": ";
      out += storage_of(a) == Storage::float32 ? "array<T>" : narrow_array(storage_of(a), lanes_);
      out += ";\n";
    }
    out += lanes_ == 4 ? "fn places(i: u32) -> U { return i * 4u + vec4u(0u, 1u, 2u, 3u); }\n"
                       : "fn places(i: u32) -> U { return i; }\n";
    declare_sums(out);
    if (tells_) out += told_functions;
    out += wgsl_functions;
    if (is_narrow()) out += narrow_head(stored_.storage, lanes_);
    for (uint32_t k = 0; k < max_slots; k++) {
      const uint32_t a = s0 + k;
      if (use_[a] != Use::none && storage_of(a) != Storage::float32)
        out += narrow_functions(storage_of(a), lanes_, array_names[a], stored_.is_signed(k));
    }
    return out;
  }

  // The whole text, of what becomes of an element.
  std::string text() const {
    std::string out = head();
    out += main_head;
    const bool narrow = is_narrow(), in_step = narrow && stored_.storage == Storage::int8;
    if (in_step) {
      out += "  read_tables(thread);\n";
    } else if (narrow) {
      out += "  let seed = seed_of(T(r.pipe.seed));\n  let factor = factor_of(seed);\n";
    }
    out += in_step ? loop_in_step : loop_head;
    for (uint32_t a = 0; a < array_count; a++) {
      if (use_[a] == Use::read) ((((out += "  e.") += array_names[a]) += " = ") += loaded(a)) += ";\n";
    }
    out += Wgsl::Listing::current->text;
    std::string after;
    for (uint32_t a = 0; a < array_count; a++) {
      if (!changed(a)) continue;
      if (storage_of(a) == Storage::int8) {
        const std::string name(array_names[a]), left = "left." + name;
        out += "  " + left + " = " + value_[a].name() + ";\n  meet_" + name + "(cell, " + left + ", part);\n";
        after += "  " + stored(a, left) + ";\n";
      } else {
        out += "  " + stored(a, value_[a].name()) + ";\n";
      }
    }
    for (size_t k = 0; k < terms_.size(); k++) {
      (((out += "  sum[") += std::to_string(k)) += "u] += select(T(0.0), ") += terms_[k].name();
      out += ", places(i) < U(r.size));\n";
    }
    if (in_step) out += "    }\n    workgroupBarrier();\n    if (i < r.count) {\n" + after + "    }\n";
    out += "  }\n";
    for (size_t k = 0; k < terms_.size(); k++)
      ((out += "  keep_sum(") += std::to_string(k)) += "u, r.sums + group - r.first, thread);\n";
    return out += "}\n";
  }

 private:
  enum class Use { none, bound, written, read };

  // How many sums a row has.
  template <class R>
  static size_t width_of(Stages s) {
    return std::max(sum_count<R>, s.monitored ? told_terms : 0);
  }
  Wgsl before_clipping(Stages s) {
    read(g);
    if (s.gathers()) read(acc);
    s.clamp_first = false;
    return prologue(s, pipe(), value_[g], value_[acc]);
  }
  // The terms of a step that is monitored, in the order of Tally.
  void tell(Wgsl seen, Wgsl prepared, Wgsl before, size_t width) {
    const Wgsl update = value_[w] - before;
    const auto is = [seen](std::string_view what) { return let(what, seen, nullptr, false); };
    sum({seen * seen, prepared * prepared, update * update, value_[w] * value_[w], is("is_zero"),
         is("is_nonfinite")},
        width);
    tells_ = true;
  }

  bool changed(uint32_t a) const { return value_[a].id != before_[a].id; }
  bool written(uint32_t a) const { return use_[a] == Use::written || changed(a); }

  template <class R>
  void through(Stages s, const CoefOf<R, Wgsl>& c, Wgsl x) {
    read(w);
    if (s.average) read(avg);
    for (size_t k = 0; k < R::slots.size(); k++) read(uint32_t(s0 + k));
    element<R, Wgsl>(s, pipe(), c, value_[w], x, value_ + s0, value_[avg]);
  }

  void declare_sums(std::string& out) const {
    if (!width_) return;
    ((out += "@group(0) @binding(") += std::to_string(sums_binding)) += ") var<storage, ";
    ((out += terms_.empty() ? "read" : "read_write") += "> sums: array<array<f32, ") +=
        std::to_string(width_);
    out += ">>;\n";
    if (terms_.empty()) return;
    ((out += "const terms = ") += std::to_string(terms_.size())) += "u;\n";
    ((out += "const first_term = ") += std::to_string(first_term_)) += "u;\n";
    out += lanes_ == 4 ? "fn joined(x: T) -> f32 { return dot(x, vec4f(1.0)); }"
                       : "fn joined(x: T) -> f32 { return x; }";
    out += sum_functions;
  }

  // How the array is stored, and whether one of those that are read is in fewer bits than float32.
  Storage storage_of(uint32_t a) const {
    return a >= s0 && a < s0 + max_slots ? stored_.of_slot(a - s0) : Storage::float32;
  }
  bool is_narrow() const {
    for (uint32_t a = s0; a < s0 + max_slots; a++) {
      if (use_[a] != Use::none && storage_of(a) != Storage::float32) return true;
    }
    return false;
  }
  std::string loaded(uint32_t a) const {
    if (storage_of(a) == Storage::float32) return place(a);
    return "load_" + std::string(array_names[a]) + "(r.state + i)";
  }
  std::string stored(uint32_t a, const std::string& x) const {
    const std::string store = "store_" + std::string(array_names[a]) + "(r.state + i, ";
    switch (storage_of(a)) {
      case Storage::float32:
        break;
      case Storage::bfloat16:
        return store + "seed, factor, " + x + ")";
      case Storage::int8:
        return store + "cell, " + x + ")";
    }
    return place(a) + " = " + x;
  }

  static std::string place(uint32_t a) {
    const std::string_view start = a == w ? "r.w + " : a == g ? "r.g + " : a < x ? "r.state + " : "";
    std::string at = "a_";
    return (((at += array_names[a]) += "[") += start) += "i]";
  }
  const uint32_t lanes_;
  Wgsl value_[array_count], before_[array_count];
  Use use_[array_count] = {};
  Stages stored_;  // of which it is only looked at how slots are stored
  std::string_view coefs_;
  bool tells_ = false;
  std::vector<Wgsl> terms_;
  size_t width_ = 0, first_term_ = 0;
};

}  // namespace simdescent
