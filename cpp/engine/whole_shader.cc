#include "engine/whole_shader.h"

#include "engine/program.h"

namespace simdescent {
namespace {

constexpr uint32_t one = 1;  // lane: rows and columns begin anywhere

// The lines that have been written since they were last taken.
std::string taken() { return std::exchange(Wgsl::Listing::current->text, ""); }

constexpr std::string_view main_of_workgroup = R"(
@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) all: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let group = id.x + id.y * all.x;
  let r = control.list[0];
)";

// Adafactor, over the elements

void prepare_adafactor(Program& program, Stages s) {
  const Wgsl g = program.gradient(s);
  program.bind(x, true);
  program.read(w);
  if (s.decay) program.value(w) = decay(pipe(), program.value(w));
  program.value(x) = g;
}

void first_of_matrix(Adafactor, Program& program, Stages s) {
  prepare_adafactor(program, s);
  const Wgsl weights = program.value(w);
  program.sum({weights * weights}, Adafactor::gpu_sums);
}

void first(Adafactor, Program& program, Stages s) {
  prepare_adafactor(program, s);
  const auto k = program.coefficients<Adafactor>();
  const Wgsl g = program.value(x), weights = program.value(w);
  const Wgsl moment = Adafactor::moved(k, program.read(s2), Adafactor::square(k, g));
  const Wgsl direction = Adafactor::direction(g, moment);
  program.value(s2) = moment, program.value(x) = direction;
  program.sum({weights * weights, direction * direction}, Adafactor::gpu_sums);
}

// By the moments of row and column, which the element has at places of its own.
void factor(Program& program) {
  for (const Array a : {s0, s1, y}) program.bind(a, false);
  program.bind(s2, true);
  const Wgsl g = program.read(x), row("a_s0[i / r.columns]"), all("a_y[i / (r.rows * r.columns)]"),
             column("a_s1[i / (r.rows * r.columns) * r.columns + i % r.columns]");
  const Wgsl moment = Adafactor::second(row / all, column), direction = Adafactor::direction(g, moment);
  program.value(s2) = moment, program.value(x) = direction;
  program.sum({direction * direction}, Adafactor::gpu_sums, 1);
}

void step(Adafactor, Program& program, Stages s) {
  const auto k = program.coefficients<Adafactor>();
  const Wgsl n("T(f32(r.size))"), weights = program.found_sum(0, Adafactor::gpu_sums),
                                  directions = program.found_sum(1, Adafactor::gpu_sums);
  const auto [alpha, divisor] = Adafactor::pace(k, sqrt(weights / n), sqrt(directions / n));
  program.value(w) = Adafactor::move(program.read(w), program.read(x), alpha, divisor);
  if (s.average) program.move_average();
}

// Muon, over the elements

void first_of_matrix(Muon, Program& program, Stages s) {
  const auto k = program.coefficients<Muon>();
  const Wgsl g = program.gradient(s);
  // A decay that is off is negative; by 0 nothing moves.
  if (s.decay) program.value(w) = Muon::decayed(k, program.read(w), at_least(k.decay, Wgsl(0)));
  Wgsl momentum = program.read(s0);
  const Wgsl begin = Muon::begin(k, g, momentum);
  program.bind(x, true);
  program.value(s0) = momentum, program.value(x) = begin;
  program.sum({begin * begin}, Muon::gpu_sums);
}

void normalize(Program& program) {
  const Wgsl norm = sqrt(program.found_sum(0, Muon::gpu_sums));
  program.value(x) = Muon::normalized(program.read(x), norm);
}

void step_of_matrix(Program& program, Stages s) {
  const auto k = program.coefficients<Muon>();
  const Wgsl size("T(sqrt(f32(max(r.rows, r.columns))))");
  program.value(w) = Muon::move(k, program.read(w), program.read(x), size);
  if (s.average) program.move_average();
}

void step(Muon, Program& program, Stages s) {
  const auto k = program.coefficients<Muon>();
  const Wgsl g = program.gradient(s);
  Wgsl weights = program.read(w), slots[] = {program.read(s0), program.read(s1)};
  if (s.decay) weights = Muon::decayed(k, weights, at_least(k.adam_decay, Wgsl(0)));
  Muon::adam(k, weights, g, slots);
  program.value(w) = weights, program.value(s0) = slots[0], program.value(s1) = slots[1];
  if (s.average) program.move_average();
}

// Means over rows or columns: a workgroup makes `across` of them side by side, in each a share of the threads
// takes terms one after another, and these are added by halves.
constexpr std::string_view reduction = R"(
  let result = group * across + thread % across;
  var sum = 0.0;
  if (result < COUNT) {
    for (var j = thread / across; j < LENGTH; j += threads / across) {
      let term = a_ARRAY[PLACE];
TERM
    }
  }
  shared_terms[thread] = sum;
  for (var half = threads / across / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread / across < half) { shared_terms[thread] += shared_terms[thread + half * across]; }
  }
  if (thread < across && result < COUNT) {
    let now = shared_terms[thread] / f32(LENGTH);
KEEP
  }
}
)";

std::string reduced(Program& program, Array from, Array to, uint32_t across,
                    std::initializer_list<std::pair<std::string_view, std::string_view>> words) {
  const auto k = program.coefficients<Adafactor>();
  program.bind(from, false);
  program.bind(to, true);
  Wgsl term("term"), now("now");
  const std::string there = "a_" + std::string(array_names[to]) + "[result]";
  if (from == x) {  // squares into a moment; of moments it is the mean itself
    term = Adafactor::square(k, term);
  }
  const std::string terms = taken() + "      sum += " + term.name() + ";";
  if (from == x) now = Adafactor::moved(k, Wgsl(there), now);
  const std::string keep = taken() + "    " + there + " = " + now.name() + ";";
  return program.head() + "const across = " + std::to_string(across) +
         "u;\nvar<workgroup> shared_terms: array<f32, threads>;\n" + std::string(main_of_workgroup) +
         with(with(std::string(reduction), {{"TERM", terms}, {"KEEP", keep}, {"ARRAY", array_names[from]}}),
              words);
}

// Products of Muon's iterations: of tiles of the result, by tiles of the factors that the threads bring to
// where all have them. A matrix with more rows than columns is worked on as its transpose: `place` is where
// an element lies of what has no more rows than columns.
constexpr std::string_view product = R"(
  let short = min(r.rows, r.columns);
  let long = max(r.rows, r.columns);
  let turned = r.rows > r.columns;
  let across = (WIDTH + tile - 1u) / tile;
  if (group >= across * ((short + tile - 1u) / tile)) { return; }
  let top = group / across * tile;
  let start = group % across * tile;
  let row = thread / 16u * 4u;
  let column = thread % 16u * 4u;
  var sum: array<vec4f, 4>;
  for (var begin = 0u; begin < DEPTH; begin += depth) {
    for (var e = thread; e < tile * depth; e += threads) {
      let a = spot(e, LEFT_RUNS);
      let b = spot(e, RIGHT_RUNS);
      lefts[a.y * tile + a.x] = 0.0;
      rights[b.y * tile + b.x] = 0.0;
      {
        let i = top + a.x;
        let k = begin + a.y;
        if (i < short && k < DEPTH) { lefts[a.y * tile + a.x] = LEFT; }
      }
      {
        let j = start + b.x;
        let k = begin + b.y;
        if (j < WIDTH && k < DEPTH) { rights[b.y * tile + b.x] = RIGHT; }
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < depth; k++) {
      let at = k * tile + column;
      let right = vec4f(rights[at], rights[at + 1u], rights[at + 2u], rights[at + 3u]);
      for (var h = 0u; h < 4u; h++) { sum[h] += lefts[k * tile + row + h] * right; }
    }
    workgroupBarrier();
  }
  for (var e = 0u; e < 16u; e++) {
    let i = top + row + e / 4u;
    let j = start + column + e % 4u;
    if (i < short && j < WIDTH) {
      let found = sum[e / 4u][e % 4u];
KEEP
    }
  }
}
)";
constexpr std::string_view product_head = R"(
const tile = 64u;
const depth = 16u;
var<workgroup> lefts: array<f32, tile * depth>;
var<workgroup> rights: array<f32, tile * depth>;
// Which element of a tile a thread brings, and at which depth: neighbours bring neighbours.
fn spot(e: u32, runs: bool) -> vec2u { return select(vec2u(e % tile, e / tile), vec2u(e / depth, e % depth), runs); }
)";

std::string multiplied(Program& program, std::string_view to, Wgsl result,
                       std::initializer_list<std::pair<std::string_view, std::string_view>> words) {
  const std::string keep = taken() + "      " + std::string(to) + " = " + result.name() + ";";
  const std::string text = with(with(std::string(product), {{"KEEP", keep}}), words);
  // One matrix, in rows as they are or as columns.
  const auto place = [](std::string_view i, std::string_view k) {
    return "select(" + std::string(i) + " * r.columns + " + std::string(k) + ", " + std::string(k) +
           " * r.columns + " + std::string(i) + ", turned)";
  };
  return program.head() + std::string(product_head) + std::string(main_of_workgroup) +
         with(text, {{"PLACE(i, k)", place("i", "k")},
                     {"PLACE(j, k)", place("j", "k")},
                     {"PLACE(k, j)", place("k", "j")},
                     {"PLACE(i, j)", place("i", "j")}});
}

// x x^T; k.b p + k.c p p, where p is symmetric; k.a x + q x.
std::string gram(Program& program) {
  program.bind(x, false), program.bind(p, true);
  return multiplied(program, "a_p[i * short + j]", Wgsl("found"),
                    {{"WIDTH", "short"},
                     {"DEPTH", "long"},
                     {"LEFT_RUNS", "!turned"},
                     {"RIGHT_RUNS", "!turned"},
                     {"LEFT", "a_x[PLACE(i, k)]"},
                     {"RIGHT", "a_x[PLACE(j, k)]"}});
}
std::string polynomial(Program& program) {
  program.bind(p, false), program.bind(q, true);
  const auto k = program.coefficients<Muon>();
  return multiplied(program, "a_q[i * short + j]",
                    Muon::polynomial(k, Wgsl("a_p[i * short + j]"), Wgsl("found")),
                    {{"WIDTH", "short"},
                     {"DEPTH", "short"},
                     {"LEFT_RUNS", "false"},
                     {"RIGHT_RUNS", "false"},
                     {"LEFT", "a_p[k * short + i]"},
                     {"RIGHT", "a_p[k * short + j]"}});
}
std::string multiply(Program& program) {
  program.bind(q, false), program.bind(x, false), program.bind(y, true);
  const auto k = program.coefficients<Muon>();
  return multiplied(program, "a_y[PLACE(i, j)]", Muon::scaled(k, Wgsl("a_x[PLACE(i, j)]")) + Wgsl("found"),
                    {{"WIDTH", "long"},
                     {"DEPTH", "short"},
                     {"LEFT_RUNS", "false"},
                     {"RIGHT_RUNS", "turned"},
                     {"LEFT", "a_q[k * short + i]"},
                     {"RIGHT", "a_x[PLACE(k, j)]"}});
}

// Of all workgroups of a pass over the elements.
constexpr std::string_view sums_of_row = R"(
  let partials = (r.count + chunk - 1u) / chunk;
  for (var k = 0u; k < width; k++) {
    var sum = 0.0;
    for (var i = thread; i < partials; i += threads) { sum += sums[r.sums + i][k]; }
    workgroupBarrier();
    shared_terms[thread] = sum;
    for (var half = threads / 2u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (thread < half) { shared_terms[thread] += shared_terms[thread + half]; }
    }
    if (thread == 0u) { sums[1u + r.entry][k] = shared_terms[0]; }
  }
}
)";

std::string add_up(Program& program, size_t width) {
  return program.head() + "const width = " + std::to_string(width) + "u;\n@group(0) @binding(" +
         std::to_string(sums_binding) +
         ") var<storage, read_write> sums: array<array<f32, width>>;\n"
         "var<workgroup> shared_terms: array<f32, threads>;\n" +
         std::string(main_of_workgroup) + std::string(sums_of_row);
}

std::string adafactor(Shader kind, Program& program, Stages s) {
  switch (kind) {
    case Shader::rows:
      return reduced(
          program, x, s0, 1,
          {{"COUNT", "r.size / r.columns"}, {"LENGTH", "r.columns"}, {"PLACE", "result * r.columns + j"}});
    case Shader::columns:
      return reduced(program, x, s1, 32,
                     {{"COUNT", "r.size / r.rows"},
                      {"LENGTH", "r.rows"},
                      {"PLACE", "(result / r.columns * r.rows + j) * r.columns + result % r.columns"}});
    case Shader::means:
      return reduced(program, s0, y, 1,
                     {{"COUNT", "r.size / (r.rows * r.columns)"},
                      {"LENGTH", "r.rows"},
                      {"PLACE", "result * r.rows + j"}});
    case Shader::first:
      first(Adafactor(), program, s);
      break;
    case Shader::matrix_first:
      first_of_matrix(Adafactor(), program, s);
      break;
    case Shader::factor:
      factor(program);
      break;
    default:
      step(Adafactor(), program, s);
  }
  return program.text();
}

std::string muon(Shader kind, Program& program, Stages s) {
  switch (kind) {
    case Shader::gram:
      return gram(program);
    case Shader::polynomial:
      return polynomial(program);
    case Shader::multiply:
      return multiply(program);
    case Shader::matrix_first:
      first_of_matrix(Muon(), program, s);
      break;
    case Shader::normalize:
      normalize(program);
      break;
    case Shader::matrix_step:
      step_of_matrix(program, s);
      break;
    default:
      step(Muon(), program, s);
  }
  return program.text();
}

}  // namespace

std::string whole_shader(Shader kind, uint32_t rule, Stages s) {
  const Wgsl::Listing listing;
  Program program(one);
  std::string text;
  if (kind == Shader::sums) return add_up(program, gpu_sums_of(rule));
  with_rule(rule, [&]<Rule R> {
    if constexpr (std::same_as<R, Adafactor>) text = adafactor(kind, program, s);
    if constexpr (std::same_as<R, Muon>) text = muon(kind, program, s);
  });
  return text;
}

}  // namespace simdescent
