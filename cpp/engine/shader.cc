#include "engine/shader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/facts.h"
#include "kernels/reduce.h"
#include "simd/wgsl.h"

namespace simdescent {
namespace {

// "a: f32, b: f32, "
std::string members(std::string_view list, std::string_view type) {
  std::string out;
  for (size_t end = 0; end != list.npos; list.remove_prefix(end == list.npos ? 0 : end + 1)) {
    (((out += field_name(list, 0)) += ": ") += type) += ", ";
    end = list.find(',');
  }
  return out;
}

// The structs of the control buffer: engine/facts.h says which words they are.
std::string structs(std::string_view coefs) {
  const auto size = [](uint32_t words) { return "@size(" + std::to_string(4 * words) + ") "; };
  return "struct Coef { " + members(coefs.empty() ? "none" : coefs, "f32") + "}\nstruct Pipe { " +
         members(field_list<Pipe<float>>(), "f32") + "}\nstruct Row { " +
         members(field_list<RecordHead>(), "u32") + size(record_coef - record_pipe) + "pipe: Pipe, " +
         size(record_words - record_coef) + "coef: Coef }\nstruct Control { rows: u32, " +
         size(record_words - 1) + "groups: u32, list: array<Row> }\n";
}

// One workgroup takes one chunk of one row; rows are found by their first workgroup.
constexpr std::string_view frame = R"(
struct Element { w: T, g: T, s0: T, s1: T, s2: T, acc: T, avg: T }
@group(0) @binding(0) var<storage, read> control: Control;
const threads = 256u;
const chunk = 4u * threads;

fn row_of(group: u32) -> u32 {
  var low = 0u;
  var high = control.rows - 1u;
  while (low < high) {
    let middle = (low + high + 1u) / 2u;
    if (control.list[middle].first <= group) { low = middle; } else { high = middle - 1u; }
  }
  return low;
}
)";

constexpr std::string_view main_head = R"(
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) all: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let group = id.x + id.y * all.x;
  if (group >= control.groups) { return; }
  let row = row_of(group);
  let r = control.list[row];
  let start = (group - r.first) * chunk + thread;
  for (var i = start; i < min(r.count, start + chunk); i += threads) {
    var e: Element;
)";

// Sums of terms, those of a row side by side: of the elements a thread has met, then of the threads by
// halves, an order that depends on the size alone.
constexpr std::string_view sum_functions = R"(
var<private> sum: array<T, terms>;
var<workgroup> shared_sums: array<f32, threads>;
fn keep_sum(k: u32, place: u32, thread: u32) {
  workgroupBarrier();
  shared_sums[thread] = joined(sum[k]);
  for (var half = threads / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { shared_sums[thread] += shared_sums[thread + half]; }
  }
  if (thread == 0u) { sums[place][k] = shared_sums[0]; }
}
)";

// What a step that is monitored sums of an element (Tally): counts are sums of 0 and 1.
constexpr uint32_t told_terms = sizeof(Tally) / sizeof(float);
constexpr std::string_view told_functions = R"(
fn is_zero(x: T) -> T { return select(T(0.0), T(1.0), (bitcast<U>(x) & U(0x7fffffffu)) == U(0u)); }
fn is_nonfinite(x: T) -> T {
  return select(T(0.0), T(1.0), (bitcast<U>(x) & U(0x7f800000u)) == U(0x7f800000u));
}
)";

// As web/gpu/encode.ts binds them, after the control buffer: eight storage buffers are what every device has.
enum Array : uint32_t { w, g, s0, s1, s2, acc, avg, array_count };
static_assert(max_slots <= acc - s0);
constexpr std::string_view names[array_count] = {"w", "g", "s0", "s1", "s2", "acc", "avg"};

// The fields of a struct of scalars in the row.
template <class T>
T scalars(std::string_view place) {
  return fields_by<T>([&](size_t k) {
    return Wgsl("T(r." + std::string(place) + "." + std::string(field_name(field_list<T>(), k)) + ")");
  });
}
Pipe<Wgsl> pipe() { return scalars<Pipe<Wgsl>>("pipe"); }

// What becomes of an element, as text: which arrays are read, and what is written to them or summed. An array
// is written where its value is another one than it was.
class Program {
 public:
  explicit Program(uint32_t lanes) : lanes_(lanes) {
    for (uint32_t a = 0; a < array_count; a++) value_[a] = before_[a] = Wgsl("e." + std::string(names[a]));
  }

  // The update; of a rule in two passes the second one, by the sums of the first.
  template <Rule R>
  void update(Stages s) {
    auto c = coefficients<R>();
    width_ = s.monitored ? told_terms : 0;
    const Wgsl seen = s.monitored && s.clips ? before_clipping(s) : value_[g];
    const Wgsl before = value_[w], x = !two_passes<R> || s.monitored ? gradient(s) : value_[g];
    if constexpr (two_passes<R>) {
      Wgsl found[R::sums];
      for (size_t k = 0; k < R::sums; k++)
        found[k] = Wgsl("T(sums[1u + r.entry][" + std::to_string(k) + "u])");
      width_ = std::max(width_, R::sums);
      R::resolve(found, c);
      through<R>({.decay = s.monitored && s.decay, .average = s.average}, c, x);
    } else {
      through<R>(s, c, x);
    }
    if (s.monitored) tell(s.clips && s.grad != Grad::none ? seen : x, x, before);
  }
  template <Rule R>
  void first(Stages s) {
    const auto c = coefficients<R>();
    const Wgsl gathered = value_[acc];
    through<FirstPass<R>>({.decay = s.decay}, c, gradient(s));
    // A GPU has no room for the direction: the second pass finds it anew.
    constexpr uint32_t found = s0 + FirstPass<R>::found;
    const Wgsl direction = std::exchange(value_[found], before_[found]);
    read_[found] = false;
    [&]<size_t... K>(std::index_sequence<K...>) { terms_ = {R::template term<K>(value_[w], direction)...}; }
    (std::make_index_sequence<R::sums>{});
    width_ = R::sums;
    if (!s.monitored) return;
    width_ = std::max<size_t>(width_, told_terms);
    value_[w] = before_[w], value_[acc] = gathered;  // the second pass decays, and looks at the gradient
  }

  void gather(Stages s) {
    const Pipe<Wgsl> k = pipe();
    read_[g] = read_[acc] = true;
    value_[acc] = (s.exact ? value_[g] * k.scale : value_[g] / k.unscale) + value_[acc];
  }
  void move_average() {
    read_[w] = read_[avg] = true;
    value_[avg] = average(pipe(), value_[avg], value_[w]);
  }
  // `width`: of the sums of a row.
  void square(Stages s, size_t width) {
    read_[g] = true, read_[acc] = s.gathers();
    const Wgsl x = prologue(s, pipe(), value_[g], value_[acc]);
    terms_ = {x * x};
    width_ = s.monitored ? std::max<size_t>(width, told_terms) : width;
  }

  std::string text() const {
    std::string out = lanes_ == 4 ? "alias T = vec4f;\nalias U = vec4u;\nalias B = vec4<bool>;\n"
                                  : "alias T = f32;\nalias U = u32;\nalias B = bool;\n";
    (out += structs(coefs_)) += frame;
    for (uint32_t a = 0; a < array_count; a++) {
      if (!read_[a]) continue;
      (out += "@group(0) @binding(") += std::to_string(a + 1);
      ((out += written(a) ? ") var<storage, read_write> a_" : ") var<storage, read> a_") += names[a]) +=
          ": array<T>;\n";
    }
    declare_sums(out);
    if (terms_.size() == told_terms) out += told_functions;
    (out += wgsl_functions) += main_head;
    for (uint32_t a = 0; a < array_count; a++) {
      if (read_[a]) ((((out += "  e.") += names[a]) += " = ") += place(a)) += ";\n";
    }
    out += Wgsl::Listing::current->text;
    for (uint32_t a = 0; a < array_count; a++) {
      if (written(a)) ((((out += "  ") += place(a)) += " = ") += value_[a].name()) += ";\n";
    }
    for (size_t k = 0; k < terms_.size(); k++) {
      (((out += "  sum[") += std::to_string(k)) += "u] += select(T(0.0), ") += terms_[k].name();
      out += ", places(i) < U(r.size));\n";
    }
    out += "  }\n";
    for (size_t k = 0; k < terms_.size(); k++)
      ((out += "  keep_sum(") += std::to_string(k)) += "u, r.sums + group - r.first, thread);\n";
    return out += "}\n";
  }

 private:
  bool written(uint32_t a) const { return value_[a].id != before_[a].id; }

  template <class R>
  CoefOf<R, Wgsl> coefficients() {
    coefs_ = field_list<CoefOf<R, Wgsl>>();
    return scalars<CoefOf<R, Wgsl>>("coef");
  }
  Wgsl gradient(Stages s) {
    read_[g] = true, read_[acc] = s.gathers();
    return prepare(s, pipe(), value_[g], value_[w], value_[acc]);
  }
  Wgsl before_clipping(Stages s) {
    read_[g] = true, read_[acc] = s.gathers();
    s.clamp_first = false;
    return prologue(s, pipe(), value_[g], value_[acc]);
  }
  // The terms of a step that is monitored, in the order of Tally.
  void tell(Wgsl seen, Wgsl x, Wgsl before) {
    const Wgsl update = value_[w] - before;
    const auto is = [seen](std::string_view what) { return let(what, seen, nullptr, false); };
    terms_ = {seen * seen, x * x, update * update, value_[w] * value_[w], is("is_zero"), is("is_nonfinite")};
  }
  template <class R>
  void through(Stages s, const CoefOf<R, Wgsl>& c, Wgsl x) {
    read_[w] = true, read_[avg] = s.average;
    for (size_t k = 0; k < R::slots.size(); k++) read_[s0 + k] = true;
    element<R, Wgsl>(s, pipe(), c, value_[w], x, value_ + s0, value_[avg]);
  }

  void declare_sums(std::string& out) const {
    if (!width_) return;
    ((out += "@group(0) @binding(8) var<storage, ") += terms_.empty() ? "read" : "read_write") +=
        "> sums: array<array<f32, " + std::to_string(width_) + ">>;\n";
    if (terms_.empty()) return;
    (out += "const terms = ") += std::to_string(terms_.size()) + "u;\n";
    out += lanes_ == 4 ? "fn joined(x: T) -> f32 { return dot(x, vec4f(1.0)); }\n"
                         "fn places(i: u32) -> U { return i * 4u + vec4u(0u, 1u, 2u, 3u); }"
                       : "fn joined(x: T) -> f32 { return x; }\n"
                         "fn places(i: u32) -> U { return i; }";
    out += sum_functions;
  }

  static std::string place(uint32_t a) {
    const std::string_view start = a == w ? "w" : a == g ? "g" : "state";
    std::string at = "a_";
    return (((at += names[a]) += "[r.") += start) += " + i]";
  }
  const uint32_t lanes_;
  Wgsl value_[array_count], before_[array_count];
  bool read_[array_count] = {};
  std::string_view coefs_;
  std::vector<Wgsl> terms_;  // to be summed over the row
  size_t width_ = 0;         // how many sums a row has, where they are used
};

}  // namespace

std::string shader(Shader kind, uint32_t rule, uint32_t stages, uint32_t lanes) {
  const Stages s = Stages::of(stages);
  const Wgsl::Listing listing;
  Program program(lanes);
  switch (kind) {
    case Shader::squares:
      program.square(s, std::max(1u, sums_of(rule)));
      break;
    case Shader::first:
      with_rule(rule, [&]<Rule R> {
        if constexpr (two_passes<R>) program.first<R>(s);
      });
      break;
    case Shader::step:
      if (!s.micro) {
        with_rule(rule, [&]<Rule R> {
          if constexpr (!whole<R>) program.update<R>(s);
        });
        break;
      }
      program.gather(s);
      if (!s.average) break;
      [[fallthrough]];
    case Shader::average:
      program.move_average();
  }
  return program.text();
}

}  // namespace simdescent
