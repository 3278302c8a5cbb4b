// What the world outside C++ must know of it: rules, and the layouts of what crosses. facts.cc writes it all
// as JSON, of which the build makes the constants that TypeScript uses; the fingerprint, which every module
// carries, tells whether a module and those constants are of one build. No fact is said here a second time:
// all is read off the structs and the table of rules.
#pragma once
#include <string>

#include "engine/entry.h"
#include "engine/memory.h"
#include "kernels/table.h"

namespace simdescent {

// A record of the GPU's control buffer (web/gpu/control.ts): a head of words, the scalars of the stages,
// those of the rule. A dispatch finds its records at a multiple of 256 bytes, so that they are a power of two
// in size.
struct RecordHead {
  FIELDS(uint32_t, first, count, w, g, state, size, sums, rows, columns, entry, clips);
};
inline constexpr uint32_t record_pipe = field_count<RecordHead>,
                          record_coef = record_pipe + field_count<Pipe<float>>;
constexpr uint32_t power_of_two(uint32_t least) {
  uint32_t p = 1;
  while (p < least) p *= 2;
  return p;
}
inline constexpr uint32_t record_words = power_of_two(record_coef + max_coefs);

namespace detail {

struct Hash {
  uint32_t value = 2166136261u;  // FNV-1a
  constexpr void add(uint32_t x) {
    for (int k = 0; k < 4; k++, x >>= 8) value = (value ^ (x & 255)) * 16777619u;
  }
  constexpr void add(std::string_view text) {
    for (const char c : text) add(uint32_t(c));
    add(0u);
  }
};

template <class R>
constexpr void add_rule(Hash& hash) {
  hash.add(R::name);
  hash.add(uint32_t(gpu_sum_count<R>));
  hash.add(uint32_t(uses_weights<R>));
  for (const Slot& s : R::slots)
    hash.add(s.name), hash.add(s.group), hash.add(s.value), hash.add(uint32_t(s.extent));
  hash.add(field_list<typename R::Hyper>());
  hash.add(field_list<CoefOf<R, float>>());
  hash.add(field_list<typename ScalarsOf<R>::type>());
}

}  // namespace detail

// Pointers are words wherever facts count: in wasm32.
inline constexpr uint32_t fingerprint = [] {
  detail::Hash hash;
  [&]<class... R>(std::tuple<R...>*) { (detail::add_rule<R>(hash), ...); }(static_cast<Rules*>(nullptr));
  hash.add(field_list<Pipe<float>>());
  hash.add(field_list<RecordHead>());
  for (const size_t x : {sizeof(Row),
                         offsetof(Row, w),
                         offsetof(Row, g),
                         offsetof(Row, slot),
                         offsetof(Row, acc),
                         offsetof(Row, avg),
                         offsetof(Row, pipe),
                         offsetof(Row, coef),
                         offsetof(Row, n),
                         offsetof(Row, stages),
                         offsetof(Row, sums),
                         offsetof(Row, tally),
                         sizeof(Entry),
                         offsetof(Entry, row),
                         offsetof(Entry, g),
                         offsetof(Entry, sum_of_squares),
                         offsetof(Entry, clipped),
                         offsetof(Entry, partial),
                         sizeof(Scratch),
                         size_t(tile_size),
                         size_t(Role::slots)})
    hash.add(uint32_t(x));
  return hash.value;
}();

std::string facts();

}  // namespace simdescent
