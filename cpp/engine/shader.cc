#include "engine/shader.h"

#include "kernels/table.h"
#include "simd/wgsl.h"

namespace simdescent {
namespace {

// One workgroup takes `chunk` elements (in lanes) of one row; rows are found by their first workgroup. The
// words of a row are web/gpu/control.ts'.
constexpr std::string_view frame = R"(
struct Pipe {
  scale: f32, mean: f32, clip: f32, divide: f32, lo: f32, hi: f32, decay: f32, rate: f32,
  momentum: f32, complement: f32, unscale: f32, steps: f32, l2: f32,
}
struct Row {
  first: u32, count: u32, w: u32, g: u32, state: u32, size: u32, sums: u32, entry: u32,
  @size(64) pipe: Pipe, @size(32) coef: Coef,
}
struct Control { rows: u32, @size(124) groups: u32, list: array<Row> }
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

struct Binding {
  std::string_view name;   // in Element
  std::string_view index;  // in a row: where its arrays start
  bool used, written;
};

// The values of an element before and after; `listing` is what happens between.
struct Text {
  std::string coef = "struct Coef { none: f32 }\n";
  std::string lines, results;

  void result(std::string_view name, const Wgsl& value) {
    results += "  o." + std::string(name) + " = " + value.name + ";\n";
  }
};

Wgsl member(std::string_view name) { return Wgsl("e." + std::string(name)); }

Pipe<Wgsl> pipe() {
  const auto field = [](const char* name) { return Wgsl("T(k." + std::string(name) + ")"); };
  return {field("scale"), field("mean"),  field("clip"),     field("divide"),     field("lo"),
          field("hi"),    field("decay"), field("rate"),     field("momentum"),   field("complement"),
          field("unscale"), field("steps"), field("l2")};
}

template <Rule R>
typename R::template Coef<Wgsl> coefficients(Text& text) {
  text.coef = "struct Coef { ";
  for (const std::string_view name : R::coefs) text.coef += std::string(name) + ": f32, ";
  text.coef += "}\n";
  return []<size_t... K>(std::index_sequence<K...>) {
    return typename R::template Coef<Wgsl>{Wgsl("T(c." + std::string(R::coefs[K]) + ")")...};
  }
  (std::make_index_sequence<R::coefs.size()>{});
}

constexpr std::string_view slot_names[max_slots] = {"s0", "s1", "s2"};

template <Rule R>
void write_update(Text& text, Stages s) {
  const Pipe<Wgsl> k = pipe();
  const auto c = coefficients<R>(text);
  Wgsl w = member("w"), g = member("g"), acc = member("acc"), avg = member("avg");
  if (s.grad == Grad::general) {  // as `prepare` and the sweep after it
    g = clip(s, k, prologue(s, k, g, acc));
    if (s.l2) g = g + w * k.l2;
    if (s.gathered) text.result("acc", Wgsl(0));
    s = {.decay = s.decay, .average = s.average};
  }
  [&]<size_t... K>(std::index_sequence<K...>) {
    Wgsl slot[] = {member(slot_names[K])...};
    element<R, Wgsl>(s, k, c, w, g, slot, acc, avg);
    (text.result(slot_names[K], slot[K]), ...);
  }
  (std::make_index_sequence<R::slots.size()>{});
  text.result("w", w);
  if (s.grad == Grad::accumulate) text.result("acc", acc);
  if (s.average) text.result("avg", avg);
}

void write_gather(Text& text, Stages s) {
  const Pipe<Wgsl> k = pipe();
  const Wgsl g = member("g"), unscaled = s.exact ? g * k.scale : g / k.unscale;
  text.result("acc", unscaled + member("acc"));
  if (s.average) text.result("avg", average(k, member("avg"), member("w")));
}

std::string element_function(const Text& text) {
  return "struct Element { w: T, g: T, s0: T, s1: T, s2: T, acc: T, avg: T }\n"
         "fn element(k: Pipe, c: Coef, e: Element) -> Element {\n  var o = e;\n" +
         text.lines + text.results + "  return o;\n}\n";
}

std::string aliases(uint32_t lanes) {
  return lanes == 4 ? "alias T = vec4f;\nalias U = vec4u;\nalias B = vec4<bool>;\n"
                    : "alias T = f32;\nalias U = u32;\nalias B = bool;\n";
}

std::string number(uint32_t x) { return std::to_string(x); }

// The loop over a chunk: `body` sees the row `r` and the index `i` in it.
std::string main_function(const std::string& before, const std::string& body, const std::string& after) {
  return "@compute @workgroup_size(threads)\n"
         "fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) all: vec3u,\n"
         "        @builtin(local_invocation_index) thread: u32) {\n"
         "  let group = id.x + id.y * all.x;\n"
         "  if (group >= control.groups) { return; }\n"
         "  let row = row_of(group);\n"
         "  let first = control.list[row].first;\n"
         "  let size = control.list[row].count;\n" +
         before +
         "  let start = (group - first) * chunk + thread;\n"
         "  for (var i = start; i < min(size, start + chunk); i += threads) {\n" +
         body + "  }\n" + after + "}\n";
}

// Bindings 1 to 7 are w, g, three slots, the accumulator and the average, of which those used are declared.
std::string bound(const Binding (&all)[7]) {
  std::string declared;
  for (uint32_t k = 0; k < 7; k++) {
    if (!all[k].used) continue;
    declared += "@group(0) @binding(" + number(k + 1) + ") var<storage, " +
                (all[k].written ? "read_write" : "read") + "> a_" + std::string(all[k].name) +
                ": array<T>;\n";
  }
  return declared;
}

std::string step_program(const Text& text, const Binding (&all)[7], uint32_t lanes) {
  std::string load = "    var e: Element;\n", store = "    let o = element(k, c, e);\n";
  for (const Binding& b : all) {
    const std::string name(b.name),
        at = "a_" + name + "[control.list[row]." + std::string(b.index) + " + i]";
    if (b.used) load += "    e." + name + " = " + at + ";\n";
    if (b.used && b.written) store += "    " + at + " = o." + name + ";\n";
  }
  return aliases(lanes) + text.coef + std::string(frame) + bound(all) + std::string(wgsl_functions) +
         element_function(text) +
         main_function("  let k = control.list[row].pipe;\n  let c = control.list[row].coef;\n",
                       load + store, "");
}

// Partial sums, one for each workgroup: of the elements a thread meets, then of the threads by halves.
std::string squares_program(const Text& text, const Binding (&all)[7], uint32_t lanes) {
  std::string load = "    var e: Element;\n";
  for (const Binding& b : all) {
    const std::string name(b.name);
    if (b.used) load += "    e." + name + " = a_" + name + "[control.list[row]." + std::string(b.index) + " + i];\n";
  }
  const std::string last = lanes == 4 ? "i * 4u + vec4u(0u, 1u, 2u, 3u)" : "i";
  return aliases(lanes) + text.coef + std::string(frame) + bound(all) + std::string(wgsl_functions) +
         element_function(text) +
         "@group(0) @binding(8) var<storage, read_write> sums: array<f32>;\n"
         "var<workgroup> shared_sums: array<f32, threads>;\n" +
         main_function("  let k = control.list[row].pipe;\n  var c: Coef;\n  var sum = T(0.0);\n",
                       load + "    let x = element(k, c, e).g;\n    sum += select(T(0.0), x * x, " + last +
                           " < U(control.list[row].size));\n",
                       std::string("  shared_sums[thread] = ") +
                           (lanes == 4 ? "(sum.x + sum.y) + (sum.z + sum.w)" : "sum") +
                           ";\n"
                           "  for (var half = threads / 2u; half > 0u; half /= 2u) {\n"
                           "    workgroupBarrier();\n"
                           "    if (thread < half) { shared_sums[thread] += shared_sums[thread + half]; }\n"
                           "  }\n"
                           "  if (thread == 0u) { sums[control.list[row].sums + group - first] = "
                           "shared_sums[0]; }\n");
}

}  // namespace

std::string shader(Shader kind, uint32_t rule, uint32_t stages, uint32_t lanes) {
  const Stages s = Stages::of(stages);
  const bool gathers = s.micro || s.gathered || s.grad == Grad::accumulate;
  Text text;
  if (kind == Shader::squares) {
    {
      Wgsl::Listing listing;
      text.result("g", prologue(s, pipe(), member("g"), member("acc")));
      text.lines = listing.text;
    }
    const Binding all[7] = {{"w", "w", false, false},     {"g", "g", true, false},
                            {"s0", "state", false, false}, {"s1", "state", false, false},
                            {"s2", "state", false, false}, {"acc", "state", gathers, false},
                            {"avg", "state", false, false}};
    return squares_program(text, all, lanes);
  }
  const bool updates = kind == Shader::step && !s.micro, averages = kind == Shader::average || s.average;
  uint32_t slot_count = 0;
  {
    Wgsl::Listing listing;
    if (kind == Shader::average) {
      text.result("avg", average(pipe(), member("avg"), member("w")));
    } else if (s.micro) {
      write_gather(text, s);
    } else {
      slot_count = uint32_t(slots(rule).size());
      with_rule(rule, [&]<Rule R> { write_update<R>(text, s); });
    }
    text.lines = listing.text;
  }
  const Binding all[7] = {{"w", "w", updates || averages, updates},
                          {"g", "g", kind == Shader::step, false},
                          {"s0", "state", slot_count > 0, true},
                          {"s1", "state", slot_count > 1, true},
                          {"s2", "state", slot_count > 2, true},
                          {"acc", "state", kind == Shader::step && gathers, true},
                          {"avg", "state", averages, true}};
  return step_program(text, all, lanes);
}

}  // namespace simdescent
