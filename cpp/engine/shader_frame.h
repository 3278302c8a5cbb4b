// The text round what becomes of an element: the control buffer, which workgroup has which row, the loops
// over its elements, and the functions that sum terms. What is made of an element, and which of these texts a
// shader has, is program.h.
#pragma once
#include <string>
#include <string_view>

#include "engine/facts.h"
#include "kernels/sweep.h"

namespace simdescent {

// "a: f32, b: f32, "
inline std::string members(std::string_view list, std::string_view type) {
  std::string out;
  for (size_t end = 0; end != list.npos; list.remove_prefix(end == list.npos ? 0 : end + 1)) {
    (((out += field_name(list, 0)) += ": ") += type) += ", ";
    end = list.find(',');
  }
  return out;
}

// The structs of the control buffer: engine/facts.h says which words they are.
inline std::string structs(std::string_view coefs) {
  const auto size = [](uint32_t words) { return "@size(" + std::to_string(4 * words) + ") "; };
  return "struct Coef { " + members(coefs.empty() ? "none" : coefs, "f32") + "}\nstruct Pipe { " +
         members(field_list<Pipe<float>>(), "f32") + "}\nstruct Row { " +
         members(field_list<RecordHead>(), "u32") + size(record_coef - record_pipe) + "pipe: Pipe, " +
         size(record_words - record_coef) + "coef: Coef }\nstruct Control { rows: u32, " +
         size(record_words - 1) + "groups: u32, list: array<Row> }\n";
}

// One workgroup takes one chunk of one row; rows are found by their first workgroup.
inline constexpr std::string_view frame = R"(
struct Element { w: T, g: T, s0: T, s1: T, s2: T, acc: T, avg: T, x: T }
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

inline constexpr std::string_view main_head = R"(
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) all: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let group = id.x + id.y * all.x;
  if (group >= control.groups) { return; }
  let row = row_of(group);
  let r = control.list[row];
  let start = (group - r.first) * chunk + thread;
)";
inline constexpr std::string_view loop_head =
    R"(  for (var i = start; i < min(r.count, start + chunk); i += threads) {
    var e: Element;
)";
// Where threads wait for one another (int8), all of them go through the loop as often.
inline constexpr std::string_view loop_in_step = R"(  for (var k = 0u; k < chunk / threads; k++) {
    let i = start + k * threads;
    let cell = (k * threads + thread) / block;
    let part = select(U(0u), U(0xffffffffu), places(i) < U(r.size));
    var e: Element;
    var left: Element;
    if (i < r.count) {
)";

// Sums of terms, those of a row side by side from `first_term` on: of the elements a thread has met, then of
// the threads by halves, an order that depends on the size alone.
inline constexpr std::string_view sum_functions = R"(
var<private> sum: array<T, terms>;
var<workgroup> shared_sums: array<f32, threads>;
fn keep_sum(k: u32, place: u32, thread: u32) {
  workgroupBarrier();
  shared_sums[thread] = joined(sum[k]);
  for (var half = threads / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) { shared_sums[thread] += shared_sums[thread + half]; }
  }
  if (thread == 0u) { sums[place][first_term + k] = shared_sums[0]; }
}
)";

// What a step that is monitored sums of an element (Tally): counts are sums of 0 and 1.
inline constexpr size_t told_terms = sizeof(Tally) / sizeof(float);
inline constexpr std::string_view told_functions = R"(
fn is_zero(x: T) -> T { return select(T(0.0), T(1.0), (bitcast<U>(x) & U(0x7fffffffu)) == U(0u)); }
fn is_nonfinite(x: T) -> T {
  return select(T(0.0), T(1.0), (bitcast<U>(x) & U(0x7f800000u)) == U(0x7f800000u));
}
)";

}  // namespace simdescent
