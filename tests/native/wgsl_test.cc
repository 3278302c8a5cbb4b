// The shader text: what is written between the loads and the stores, evaluated here line by line in float32,
// leaves the bits of the kernels, for every rule and every kind of stages; and is, spelled out, the formula.
// Whether a GPU takes the text and how it rounds is tests/gpu's business.
#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "arrays.h"
#include "engine/narrow_shader.h"
#include "engine/shader.h"
#include "kernels/quantize.h"
#include "kernels/reduce.h"
#include "kernels/table.h"

namespace simdescent::tests {
namespace {

constexpr const char* array_names[] = {"w", "g", "s0", "s1", "s2", "acc", "avg"};

// `name = expression;` for each line of the loop of main: loads, operations, stores.
struct Line {
  std::string name, op;
  std::vector<std::string> operands;  // of an operation; a load has one, a store the value that is stored
};

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream in(text.substr(text.find("var e: Element;\n") + 16));
  for (std::string line; std::getline(in, line) && line.find('}') == std::string::npos;) {
    const size_t equals = line.find(" = "), start = line.find_first_not_of(' ');
    if (const size_t sum = line.find("sum["); sum != std::string::npos) {  // sum[0u] += select(T(0.0), t3, …
      const size_t term = line.find("T(0.0), ") + 8;
      lines.push_back(
          {"a_sum" + line.substr(sum + 4, 1) + "[", "", {line.substr(term, line.find(',', term) - term)}});
      continue;
    }
    std::string name = line.substr(start, equals - start);
    if (name.starts_with("let ")) name = name.substr(4);
    const std::string value = line.substr(equals + 3, line.find(';') - equals - 3);
    const size_t call = value.find('('), space = value.find(' ');
    if (name[0] != 't') {  // e.w = a_w[r.w + i], a_w[r.w + i] = t3
      lines.push_back({name, "", {value}});
    } else if (call != std::string::npos && value[0] != 'T' && call < space) {
      std::string inside = value.substr(call + 1, value.size() - call - 2);
      Line l{name, value.substr(0, call), {}};
      for (size_t comma; (comma = inside.find(", ")) != std::string::npos; inside = inside.substr(comma + 2))
        l.operands.push_back(inside.substr(0, comma));
      l.operands.push_back(inside);
      lines.push_back(l);
    } else {
      lines.push_back({name, value.substr(space + 1, 1), {value.substr(0, space), value.substr(space + 3)}});
    }
  }
  return lines;
}

float evaluate(const Line& l, const std::vector<f32x1>& x) {
  if (l.op == "+") return (x[0] + x[1]).v;
  if (l.op == "-") return (x[0] - x[1]).v;
  if (l.op == "*") return (x[0] * x[1]).v;
  if (l.op == "/") return (x[0] / x[1]).v;
  if (l.op == "sqrt") return sqrt(x[0]).v;
  if (l.op == "abs") return abs(x[0]).v;
  if (l.op == "at_least") return at_least(x[0], x[1]).v;
  if (l.op == "at_most") return at_most(x[0], x[1]).v;
  if (l.op == "max_magnitude") return max_magnitude(x[0], x[1]).v;
  if (l.op == "sign_of") return sign(x[0]).v;
  if (l.op == "pow") return power(x[0], x[1]).v;
  if (l.op == "if_positive") return if_positive(x[0], x[1], x[2]).v;
  ADD_FAILURE() << "no operation " << l.op;
  return 0;
}

using Values = std::map<std::string, float>;

// One element through the text: `scalars` are T(r.pipe.…) and T(r.coef.…); `element` is in and out, by array.
void run(const std::vector<Line>& lines, Values values, std::map<std::string, float>& element) {
  values["T(0.0)"] = 0;
  for (const Line& l : lines) {
    if (l.name.starts_with("e.")) {
      values[l.name] = element.at(l.name.substr(2));
    } else if (l.op.empty()) {
      ASSERT_TRUE(values.contains(l.operands[0])) << l.operands[0];
      element[l.name.substr(2, l.name.find('[') - 2)] = values[l.operands[0]];
    } else {
      std::vector<f32x1> operands;
      for (const std::string& o : l.operands) {
        ASSERT_TRUE(values.contains(o)) << o;
        operands.push_back(values[o]);
      }
      values[l.name] = evaluate(l, operands);
    }
  }
}

Values scalars_of(const Pipe<float>& k) {
  Values values;
  for (size_t i = 0; i < field_count<Pipe<float>>; i++)
    values["T(r.pipe." + std::string(field_name(field_list<Pipe<float>>(), i)) + ")"] = (&k.scale)[i];
  return values;
}

constexpr Pipe<float> usual{.scale = 0.25f,
                            .mean = 0.5f,
                            .clip = 0.7f,
                            .divide = 1.3f,
                            .lo = -0.3f,
                            .hi = 0.4f,
                            .decay = 0.01f,
                            .rate = 0.1f,
                            .momentum = 0.9f,
                            .complement = 0.1f,
                            .unscale = 3,
                            .steps = 5,
                            .l2 = 0.02f};

std::vector<Stages> all_stages() {
  std::vector<Stages> list;
  for (const uint32_t word : update_words()) {
    if (Stages::of(word).grad != Grad::general) list.push_back(Stages::of(word));
  }
  for (uint32_t bits = 0; bits < 32; bits++) {
    const auto bit = [bits](uint32_t k) { return (bits >> k & 1) != 0; };
    list.push_back({.grad = Grad::general,
                    .decay = bit(0),
                    .average = bit(1),
                    .gathered = bit(2),
                    .clamp_first = bit(3),
                    .l2 = bit(4)});
  }
  for (uint32_t bits = 0; bits < 4; bits++)
    list.push_back({.average = (bits & 1) != 0, .micro = true, .exact = (bits & 2) != 0});
  return list;
}

class Text : public ::testing::TestWithParam<uint32_t> {};

TEST_P(Text, LeavesTheBitsOfTheKernels) {
  const uint32_t rule = GetParam(), n = 300 / mixes_apart;
  static Scratch scratch;
  float coef[max_coefs];
  coefficients(rule, default_hypers(rule), {0.01, 3}, first_scalars(rule), coef);
  Values scalars = scalars_of(usual);
  with_rule(rule, [&]<Rule R> {
    for (size_t k = 0; k < field_count<CoefOf<R, float>>; k++)
      scalars["T(r.coef." + std::string(field_name(field_list<CoefOf<R, float>>(), k)) + ")"] = coef[k];
  });
  Random random(7);
  bool special = false;
  for (const Stages s : all_stages()) {
    std::map<std::string, Floats> arrays;
    special = sums_of(rule) == 0 || !special;  // sums of what is not finite say little: in turns
    for (const char* name : array_names) arrays[name] = special ? random.mixed(n) : random.units(n);
    if (!special)
      for (float& x : arrays["s1"]) x = std::fabs(x);
    const auto before = arrays;
    const auto at = [&](const char* name) { return arrays[name].data(); };
    float sums[max_sums], own[max_coefs];
    std::copy(coef, coef + max_coefs, own);
    Row row{at("w"),   at("g"),   {at("s0"), at("s1"), at("s2")},
            at("acc"), at("avg"), &usual,
            own,       n,         s.word(),
            sums,      0,         0};
    const uint32_t terms = s.micro ? 0 : sums_of(rule);
    if (terms > 0) {
      row.stages = Stages::of(s.word() | Stages{.first = true}.word()).word();
      step(rule, &row, 1, scratch);
      resolve(rule, sums, own);
      row.stages = Stages{.average = s.average}.word();
      for (uint32_t k = 0; k < terms; k++)
        scalars["T(sums[1u + r.entry][" + std::to_string(k) + "u])"] = sums[k];
    }
    step(rule, &row, 1, scratch);
    const auto first = lines_of(shader(Shader::first, rule, s.word(), 4)),
               lines = lines_of(shader(Shader::step, rule, s.word(), 4));
    ASSERT_FALSE(lines.empty());
    Floats summed[max_sums];
    for (uint32_t i = 0; i < n; i++) {
      std::map<std::string, float> element;
      for (const auto& [name, values] : before) element[name] = values[i];
      if (terms > 0) run(first, scalars, element);
      for (uint32_t k = 0; k < terms; k++) summed[k].push_back(element["sum" + std::to_string(k)]);
      run(lines, scalars, element);
      for (const auto& [name, values] : arrays)
        ASSERT_TRUE(same(element[name], values[i]))
            << name << "[" << i << "], stages " << s.word() << ": got " << shown(element[name])
            << ", the kernel has " << shown(values[i]);
    }
    for (uint32_t k = 0; k < terms; k++)
      ASSERT_TRUE(same(pairwise_sum<Plain>(*summed[k].data(), 0, n), sums[k])) << "sum " << k;
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, Text, ::testing::Range(0u, element_rule_count),
                         [](const auto& info) { return std::string(rule_name(info.param)); });

TEST(Shader, AveragesAndSquaresAreTheKernels) {
  const Values scalars = scalars_of(usual);
  const auto averaging = lines_of(shader(Shader::average, 0, 0, 1));
  Random random(8);
  for (int i = 0; i < 1000; i++) {
    std::map<std::string, float> element{{"w", random.any()}, {"avg", random.any()}};
    const float expected = average<f32x1>(broadcast<f32x1>(usual), element["avg"], element["w"]).v;
    run(averaging, scalars, element);
    ASSERT_TRUE(same(element["avg"], expected)) << shown(element["avg"]);
  }
  const std::string squares = shader(Shader::squares, 0, Stages{.grad = Grad::accumulate}.word(), 4);
  EXPECT_NE(squares.find("let t0 = e.g * T(r.pipe.scale);"), std::string::npos) << squares;
  EXPECT_NE(squares.find("let t1 = t0 + e.acc;"), std::string::npos);
  EXPECT_NE(squares.find("let t2 = t1 * T(r.pipe.mean);"), std::string::npos);
  EXPECT_NE(squares.find("let t3 = t2 * t2;"), std::string::npos);
  EXPECT_NE(squares.find("sum[0u] += select(T(0.0), t3, places(i) < U(r.size));"), std::string::npos);
}

// The stored values with every constant replaced by its expression: the order of the lines does not show.
std::map<std::string, std::string> spelled(const std::string& text) {
  std::map<std::string, std::string> known, stored;
  const auto of = [&](const std::string& o) { return known.contains(o) ? known[o] : o; };
  for (const Line& l : lines_of(text)) {
    if (l.op.empty()) {
      if (!l.name.starts_with("e.")) stored[l.name.substr(2, l.name.find('[') - 2)] = of(l.operands[0]);
    } else {
      std::ostringstream out;
      const bool call = std::isalpha(l.op[0]);
      out << (call ? l.op : "") << '(' << of(l.operands[0]);
      if (l.operands.size() > 1) out << (call ? ", " : ' ' + l.op + ' ') << of(l.operands[1]);
      out << ')';
      known[l.name] = out.str();
    }
  }
  return stored;
}

TEST(Shader, SpellsOutTheFormula) {
  const auto adam = spelled(shader(Shader::step, 0, Stages{.decay = true}.word(), 4));
  const std::string m = "(e.s0 + ((e.g - e.s0) * T(r.coef.one_minus_beta1)))",
                    v = "(e.s1 + (((e.g * e.g) - e.s1) * T(r.coef.one_minus_beta2)))";
  EXPECT_EQ(adam.at("s0"), m);
  EXPECT_EQ(adam.at("s1"), v);
  EXPECT_EQ(adam.at("w"), "(((e.w * T(r.pipe.keep)) - ((e.w * T(r.pipe.decay)) * T(r.pipe.rate))) - ((" + m +
                              " * T(r.coef.alpha)) / (sqrt(" + v + ") + T(r.coef.epsilon))))");
  EXPECT_EQ(adam.size(), 3u);

  const auto adamax = spelled(shader(Shader::step, 2, Stages{.grad = Grad::scale}.word(), 4));
  EXPECT_EQ(adamax.at("s1"),
            "max_magnitude((T(r.coef.beta2) * e.s1), at_most(at_least(((e.g * T(r.pipe.scale)) * "
            "T(r.pipe.clip)), T(r.pipe.lo)), T(r.pipe.hi)))");
}

// Of a slot that is stored in fewer bits, what is computed with is what the storage's functions make of it;
// one that is float32 all the same has no such functions.
TEST(Shader, SlotsInFewerBitsAreLoadedAndStoredByTheirFunctions) {
  for (const Storage storage : {Storage::bfloat16, Storage::int8}) {
    for (const uint32_t lanes : {1u, 4u}) {
      const std::string text = shader(Shader::step, 0, Stages{.storage = storage, .wide = 2}.word(), lanes);
      EXPECT_NE(text.find("e.s0 = load_s0(r.state + i);"), std::string::npos) << text;
      EXPECT_NE(text.find("  store_s0(r.state + i, "), std::string::npos);
      EXPECT_NE(text.find("e.s1 = a_s1[r.state + i];"), std::string::npos);
      EXPECT_NE(text.find("  a_s1[r.state + i] = t"), std::string::npos);
      EXPECT_EQ(text.find("load_s1"), std::string::npos);
      EXPECT_EQ(text.find("var<uniform> maps") != std::string::npos, storage == Storage::int8);
    }
  }
  // What only gathers a gradient reads no slot.
  const Stages micro{.micro = true, .storage = Storage::int8};
  EXPECT_EQ(shader(Shader::step, 0, micro.word(), 4),
            shader(Shader::step, 0, Stages{.micro = true}.word(), 4));
}

// The search of the shaders by halves, for what the kernels look up in a table of cells.
template <bool is_signed>
void expect_codes_of_the_kernels(const DynamicMap& map, const uint32_t* tables) {
  for (uint32_t k = 0; k < 256; k++) EXPECT_TRUE(same(std::bit_cast<float>(tables[k]), map.value[k]));
  const auto expect_same_code = [&](float x) {
    const uint32_t key = DynamicMap::key<is_signed>(f32x1(x)).v;
    uint32_t code = 0;
    for (uint32_t half = 128; half > 0; half /= 2) {
      if (int32_t(tables[256 + code + half]) <= int32_t(key)) code += half;
    }
    ASSERT_EQ(code, DynamicMap::code<is_signed>(map.words(is_signed), f32x1(x)).v) << shown(x);
  };
  for (uint32_t k = 1; k < 256; k++) {
    const float border = float((double(map.value[k - 1]) + map.value[k]) / 2);
    for (const float x : {border, std::nextafter(border, -2.f), std::nextafter(border, 2.f)})
      expect_same_code(x);
  }
  Random random(9);
  for (int i = 0; i < 10000; i++) {
    const float x = random.unit() * std::pow(10.f, -8 * std::fabs(random.unit()));
    expect_same_code(is_signed ? x : std::fabs(x));
  }
  for (const float x : {0.f, -0.f, 1.f, is_signed ? -1.f : 1e-30f}) expect_same_code(x);
}
TEST(Shader, FindsTheCodesOfTheKernels) {
  static DynamicMaps maps;
  expect_codes_of_the_kernels<true>(maps.of(true), dynamic_maps());
  expect_codes_of_the_kernels<false>(maps.of(false), dynamic_maps() + map_words);
}

uint32_t storage_buffers(const std::string& text) {
  uint32_t buffers = 0;
  for (size_t at = 0; (at = text.find("var<storage", at)) != std::string::npos; at++) buffers++;
  return buffers;
}

void expect_complete(const std::string& text, uint32_t lanes) {
  EXPECT_LE(storage_buffers(text), 8u);
  EXPECT_NE(text.find(lanes == 4 ? "alias T = vec4f;" : "alias T = f32;"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '{'), std::count(text.begin(), text.end(), '}'));
  for (const char* word : {"NAME", "PLACE", "SHIFT", "MASK", "MAP", "KEY", "BINDING", "TABLES", "WORDS"})
    EXPECT_EQ(text.find(word), std::string::npos) << word;
}

TEST(Shader, UsesEightStorageBuffersAtMostAndIsComplete) {
  for (uint32_t rule = 0; rule < element_rule_count; rule++) {
    for (Stages s : all_stages()) {
      for (const Storage storage : {Storage::float32, Storage::bfloat16, Storage::int8}) {
        for (const bool monitored : {false, true}) {
          // Then the average is a shader of its own: web/gpu/plan.ts.
          if (monitored && (s.micro || s.average)) continue;
          s.storage = storage, s.monitored = monitored;
          for (const uint32_t lanes : {1u, 4u}) {
            expect_complete(shader(Shader::step, rule, s.word(), lanes), lanes);
            if (sums_of(rule) > 0) expect_complete(shader(Shader::first, rule, s.word(), lanes), lanes);
          }
        }
      }
    }
  }
}

// Whether a GPU takes them, and what they compute, is tests/gpu's business.
TEST(Shader, OfWholeVariablesUsesEightStorageBuffersAndIsComplete) {
  const std::vector<Shader> kinds[] = {
      {Shader::first, Shader::matrix_first, Shader::rows, Shader::columns, Shader::means, Shader::factor,
       Shader::sums, Shader::step},
      {Shader::step, Shader::matrix_first, Shader::sums, Shader::normalize, Shader::gram, Shader::polynomial,
       Shader::multiply, Shader::matrix_step}};
  for (uint32_t rule = element_rule_count; rule < rule_count; rule++) {
    for (const Shader kind : kinds[rule - element_rule_count]) {
      for (const Stages s : all_stages()) {
        const std::string text = shader(kind, rule, s.word(), 1);
        EXPECT_LE(storage_buffers(text), 8u) << uint32_t(kind);
        EXPECT_EQ(std::count(text.begin(), text.end(), '{'), std::count(text.begin(), text.end(), '}'));
        EXPECT_NE(text.find("alias T = f32;"), std::string::npos);
        for (const char* word :
             {"COUNT", "LENGTH", "PLACE", "TERM", "KEEP", "LEFT", "RIGHT", "WIDTH", "DEPTH"})
          EXPECT_EQ(text.find(word), std::string::npos) << uint32_t(kind) << ": " << word;
      }
    }
  }
}

}  // namespace
}  // namespace simdescent::tests
