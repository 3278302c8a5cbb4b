// Structs whose fields are all of one type and whose names are data as well: the same list makes the C++
// struct, the WGSL struct (engine/shader.cc) and what TypeScript knows of it (engine/facts.cc). Inside a
// struct:
//   FIELDS(float, scale = 1, mean = 1)
#pragma once
#include <cstddef>
#include <string_view>
#include <utility>

namespace simdescent {

#define FIELDS(type, ...) \
  type __VA_ARGS__;       \
  static constexpr std::string_view field_list = #__VA_ARGS__

// A struct without a list has no fields.
template <class T>
constexpr std::string_view field_list() {
  if constexpr (requires { T::field_list; }) return T::field_list;
  return {};
}

template <class T>
inline constexpr size_t field_count = [] {
  constexpr std::string_view list = field_list<T>();
  size_t count = list.empty() ? 0 : 1;
  for (const char c : list) count += c == ',';
  return count;
}();

// The k-th name of a list, without its default.
constexpr std::string_view field_name(std::string_view list, size_t k) {
  for (; k > 0; k--) list.remove_prefix(list.find(',') + 1);
  while (list.front() == ' ') list.remove_prefix(1);
  return list.substr(0, list.find_first_of(" =,"));
}

// A struct of the values f(0), f(1), ….
template <class T, class F>
[[gnu::always_inline]] inline T fields_by(F f) {
  return [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) { return T{f(K)...}; }
  (std::make_index_sequence<field_count<T>>{});
}

// The struct in all lanes of another type, from the words of one of floats.
template <class T, class V>
[[gnu::always_inline]] inline T broadcast_fields(const float* words) {
  return fields_by<T>([words](size_t k) __attribute__((always_inline)) { return V::broadcast(words + k); });
}

}  // namespace simdescent
