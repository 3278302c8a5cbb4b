#include "engine/narrow_shader.h"

#include "kernels/quantize.h"
#include "simd/wgsl.h"

namespace simdescent {
namespace {

using Words = ChanceOf<WgslBits>;

constexpr std::string_view four_halves = R"(
fn get_NAME(at: u32) -> U {
  let words = a_NAME[at];
  return vec4u(words.x, words.x >> 16u, words.y, words.y >> 16u) & U(0xffffu);
}
fn put_NAME(at: u32, x: U) { a_NAME[at] = x.xz | (x.yw << vec2u(16u)); }
)";

constexpr std::string_view four_codes = R"(
fn get_NAME(at: u32) -> U { return (U(a_NAME[code_place(at)]) >> places_of_codes) & U(0xffu); }
fn put_NAME(at: u32, x: U) {
  let parts = x << places_of_codes;
  a_NAME[code_place(at)] = parts.x | parts.y | parts.z | parts.w;
}
fn scale_NAME(at: u32) -> f32 { return bitcast<f32>(a_NAME[scale_place(at)]); }
fn put_scale_NAME(at: u32, x: u32) { a_NAME[scale_place(at)] = x; }
)";

constexpr std::string_view part_of_word = R"(
fn get_NAME(at: u32) -> U { return (atomicLoad(&a_NAME[PLACE]) >> SHIFT) & MASK; }
fn put_NAME(at: u32, x: U) { atomicXor(&a_NAME[PLACE], (get_NAME(at) ^ x) << SHIFT); }
)";

constexpr std::string_view scale_of_one = R"(
fn scale_NAME(at: u32) -> f32 { return bitcast<f32>(atomicLoad(&a_NAME[scale_place(at)])); }
fn put_scale_NAME(at: u32, x: u32) { atomicStore(&a_NAME[scale_place(at)], x); }
)";

constexpr std::string_view half_functions = R"(
fn load_NAME(at: u32) -> T { return of_half(get_NAME(at)); }
fn store_NAME(at: u32, seed: U, factor: U, x: T) { put_NAME(at, half_at(x, seed, factor)); }
)";

// The largest magnitude of a block begins as 0, as all that workgroups share.
constexpr std::string_view code_functions = R"(
var<workgroup> most_NAME: array<atomic<u32>, blocks>;
fn load_NAME(at: u32) -> T { return of_relative(value_of(MAP, get_NAME(at)), T(scale_NAME(at))); }
fn meet_NAME(cell: u32, x: T, part: U) {
  atomicMax(&most_NAME[cell], largest(bitcast<U>(x) & U(0x7fffffffu) & part));
}
fn store_NAME(at: u32, cell: u32, x: T) {
  let scale = atomicLoad(&most_NAME[cell]);
  let finite = scale < 0x7f800000u;
  if (at % block == 0u) { put_scale_NAME(at, select(0x7fc00000u, scale, finite)); }
  if (finite) { put_NAME(at, code_of(MAP, KEY(relative(x, T(bitcast<f32>(scale)))))); }
}
)";

// `block` is in lanes. Which of the 255 borders of a map a key has reached is found by halves: the kernels
// look it up in a table of cells, for which a workgroup has no room.
constexpr std::string_view map_functions = R"(
@group(0) @binding(BINDING) var<uniform> maps: array<vec4u, TABLES>;
var<workgroup> tables: array<u32, 4u * TABLES>;
fn read_tables(thread: u32) {
  for (var k = thread; k < 4u * TABLES; k += threads) { tables[k] = maps[k / 4u][k % 4u]; }
  workgroupBarrier();
}
fn scale_place(at: u32) -> u32 { return at / block * WORDS; }
fn reached(map: u32, key: u32) -> u32 {
  var code = 0u;
  for (var half = 128u; half > 0u; half /= 2u) {
    if (bitcast<i32>(tables[map + 256u + code + half]) <= bitcast<i32>(key)) { code += half; }
  }
  return code;
}
fn value(map: u32, code: u32) -> f32 { return bitcast<f32>(tables[map + code]); }
)";

constexpr std::string_view four_values = R"(
const places_of_codes = vec4u(0u, 8u, 16u, 24u);
fn code_place(at: u32) -> u32 { return scale_place(at) + 1u + at % block; }
fn largest(x: U) -> u32 { return max(max(x.x, x.y), max(x.z, x.w)); }
fn code_of(map: u32, key: U) -> U {
  return vec4u(reached(map, key.x), reached(map, key.y), reached(map, key.z), reached(map, key.w));
}
fn value_of(map: u32, code: U) -> T {
  return vec4f(value(map, code.x), value(map, code.y), value(map, code.z), value(map, code.w));
}
)";

constexpr std::string_view one_value = R"(
fn largest(x: U) -> u32 { return x; }
fn code_of(map: u32, key: U) -> U { return reached(map, key); }
fn value_of(map: u32, code: U) -> T { return value(map, code); }
)";

}  // namespace

std::string narrow_array(Storage storage, uint32_t lanes) {
  if (lanes == 1) return "array<atomic<u32>>";
  return storage == Storage::bfloat16 ? "array<vec2u>" : "array<u32>";
}

std::string narrow_functions(Storage storage, uint32_t lanes, std::string_view name, bool is_signed) {
  const bool halves = storage == Storage::bfloat16, four = lanes == 4;
  std::string out(four ? halves ? four_halves : four_codes : part_of_word);
  if (!four) {
    out = with(out, {{"PLACE", halves ? "at / 2u" : "scale_place(at) + 1u + at % block / 4u"},
                     {"SHIFT", halves ? "(16u * (at % 2u))" : "(8u * (at % 4u))"},
                     {"MASK", halves ? "0xffffu" : "0xffu"}});
    if (!halves) out += scale_of_one;
  }
  out += halves ? half_functions : code_functions;
  return with(out, {{"NAME", name},
                    {"MAP", is_signed ? "0u" : std::to_string(map_words) + "u"},
                    {"KEY", is_signed ? "signed_key" : "positive_key"}});
}

std::string narrow_head(Storage storage, uint32_t lanes) {
  std::string out(lanes == 4 ? "alias I = vec4i;\n" : "alias I = i32;\n");
  out += wgsl_bits_functions;
  if (storage == Storage::bfloat16) {
    out += function("fn of_half(half: U) -> T", [] {
      Wgsl x[1];
      WgslHalves(WgslBits("half")).floats(x);
      return x[0];
    });
    out += function("fn seed_of(step: T) -> U", [] { return Words::seed_of(bits(Wgsl("step"))); });
    out += function("fn factor_of(seed: U) -> U", [] { return Words::factor_of(WgslBits("seed")); });
    return out += function("fn half_at(x: T, seed: U, factor: U) -> U", [] {
             return rounded<Wgsl>({Wgsl("x")}, Words{WgslBits("factor"), WgslBits("seed")}).v;
           });
  }
  const auto number = [](uint32_t x) { return std::to_string(x) + "u"; };
  out += "const block = " + number(block_size / lanes) + ";\nconst blocks = chunk / block;\n";
  out += with(std::string(map_functions), {{"BINDING", std::to_string(maps_binding)},
                                           {"TABLES", number(2 * map_words / 4)},
                                           {"WORDS", number(block_floats)}});
  out += lanes == 4 ? four_values : one_value;
  out += function("fn relative(x: T, scale: T) -> T", [] {
    const Wgsl scale("scale"), unit = unit_of(scale);
    return Wgsl("x") * unit * inverse_of(scale * unit);
  });
  out += function("fn signed_key(y: T) -> U", [] { return DynamicMap::key<true>(Wgsl("y")); });
  out += function("fn positive_key(y: T) -> U", [] { return DynamicMap::key<false>(Wgsl("y")); });
  return out += function("fn of_relative(value: T, scale: T) -> T",
                         [] { return of_relative(Wgsl("value"), Wgsl("scale")); });
}

const uint32_t* dynamic_maps() {
  static uint32_t words[2 * map_words];
  DynamicMap map;
  uint32_t* to = words;
  const auto add = [&]<bool is_signed>() {
    map.make<is_signed>();
    for (uint32_t k = 0; k < 256; k++) *to++ = std::bit_cast<uint32_t>(map.value[k]);
    *to++ = 0;  // below the first border there is the first code
    for (uint32_t k = 1; k < 256; k++) *to++ = uint32_t(map.border<is_signed>(k));
  };
  add.operator()<true>(), add.operator()<false>();
  return words;
}

}  // namespace simdescent
