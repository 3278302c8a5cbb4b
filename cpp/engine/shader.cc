#include "engine/shader.h"

#include "engine/facts.h"
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
  var sum = T(0.0);
  for (var i = start; i < min(r.count, start + chunk); i += threads) {
    var e: Element;
)";

// Of the elements a thread has met, then of the threads by halves: an order that depends on the size alone.
constexpr std::string_view sum_tail = R"(  }
  shared_sums[thread] = dot(sum, ones);
  for (var half = threads / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { shared_sums[thread] += shared_sums[thread + half]; }
  }
  if (thread == 0u) { sums[r.sums + group - r.first] = shared_sums[0]; }
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

// What becomes of an element, as text: which arrays are read, and what is written to them.
class Program {
 public:
  explicit Program(uint32_t lanes) : lanes_(lanes) {
    for (uint32_t a = 0; a < array_count; a++) value[a] = Wgsl("e." + std::string(names[a]));
  }

  Wgsl value[array_count];
  bool read[array_count] = {}, written[array_count] = {};
  std::string_view coefs;

  template <Rule R>
  void update(Stages s) {
    const Pipe<Wgsl> k = pipe();
    value[g] = prepare(s, k, value[g], value[w], value[acc]);
    coefs = field_list<CoefOf<R, Wgsl>>();
    Wgsl slot[slot_room<R>];
    for (size_t k = 0; k < R::slots.size(); k++) slot[k] = value[s0 + k];
    element<R, Wgsl>(s, k, scalars<CoefOf<R, Wgsl>>("coef"), value[w], value[g], slot, value[avg]);
    for (size_t k = 0; k < R::slots.size(); k++) value[s0 + k] = slot[k];
  }

  void gather(Stages s) {
    const Pipe<Wgsl> k = pipe();
    value[acc] = (s.exact ? value[g] * k.scale : value[g] / k.unscale) + value[acc];
  }
  void move_average() { value[avg] = average(pipe(), value[avg], value[w]); }
  void gradient(Stages s) { value[g] = prologue(s, pipe(), value[g], value[acc]); }

  // The whole module: `tail` ends the loop and main.
  std::string text(std::string_view more, std::string_view in_loop, std::string_view tail) const {
    std::string out = lanes_ == 4 ? "alias T = vec4f;\nalias U = vec4u;\nalias B = vec4<bool>;\n"
                                    "const ones = vec4f(1.0);\n"
                                  : "alias T = f32;\nalias U = u32;\nalias B = bool;\n";
    (out += structs(coefs)) += frame;
    for (uint32_t a = 0; a < array_count; a++) {
      if (!read[a]) continue;
      (out += "@group(0) @binding(") += std::to_string(a + 1);
      ((out += written[a] ? ") var<storage, read_write> a_" : ") var<storage, read> a_") += names[a]) +=
          ": array<T>;\n";
    }
    ((out += wgsl_functions) += more) += main_head;
    for (uint32_t a = 0; a < array_count; a++) {
      if (read[a]) ((((out += "  e.") += names[a]) += " = ") += place(a)) += ";\n";
    }
    (out += Wgsl::Listing::current->text) += in_loop;
    for (uint32_t a = 0; a < array_count; a++) {
      if (written[a]) ((((out += "  ") += place(a)) += " = ") += value[a].name()) += ";\n";
    }
    return out += tail;
  }

 private:
  static std::string place(uint32_t a) {
    const std::string_view start = a == w ? "w" : a == g ? "g" : "state";
    std::string at = "a_";
    return (((at += names[a]) += "[r.") += start) += " + i]";
  }
  uint32_t lanes_;
};

std::string squares(Program& program, Stages s, uint32_t lanes) {
  program.gradient(s);
  program.read[g] = true;
  program.read[acc] = s.gathers();
  std::string term = "  sum += select(T(0.0), ";
  const std::string& x = program.value[g].name();
  (((term += x) += " * ") += x) +=
      lanes == 4 ? ", i * 4u + vec4u(0u, 1u, 2u, 3u) < U(r.size));\n" : ", i < r.size);\n";
  std::string tail(sum_tail);
  if (lanes == 1) tail.replace(tail.find("dot(sum, ones)"), 14, "sum");
  return program.text(
      "@group(0) @binding(8) var<storage, read_write> sums: array<f32>;\n"
      "var<workgroup> shared_sums: array<f32, threads>;\n",
      term, tail);
}

}  // namespace

std::string shader(Shader kind, uint32_t rule, uint32_t stages, uint32_t lanes) {
  const Stages s = Stages::of(stages);
  const Wgsl::Listing listing;
  Program program(lanes);
  if (kind == Shader::squares) return squares(program, s, lanes);
  bool* const read = program.read;
  bool* const written = program.written;
  read[w] = true;
  if (kind == Shader::step) {
    read[g] = true;
    read[acc] = written[acc] = s.micro || s.gathers();
  }
  if (kind == Shader::step && !s.micro) {
    with_rule(rule, [&]<Rule R> {
      if constexpr (!whole<R>) program.update<R>(s);
      for (size_t k = 0; k < R::slots.size(); k++) read[s0 + k] = written[s0 + k] = true;
    });
    written[w] = true;
  } else if (kind == Shader::step) {
    program.gather(s);
    read[w] = s.average;
  }
  if (kind == Shader::average || s.average) read[avg] = written[avg] = true;
  if (kind == Shader::average || (s.micro && s.average)) program.move_average();
  return program.text("", "", "  }\n}\n");
}

}  // namespace simdescent
