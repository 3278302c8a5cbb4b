#include "engine/facts.h"

#include "engine/optimizer.h"

namespace simdescent {
namespace {

std::string number(size_t x) { return std::to_string(x); }
std::string quoted(std::string_view x) { return '"' + std::string(x) + '"'; }

// "name": value, as members of an object or elements of a list.
struct Json {
  std::string text;
  Json& put(std::string_view name, const std::string& value) { return add(quoted(name) + ": " + value); }
  Json& add(const std::string& value) {
    if (!text.empty()) text += ", ";
    text += value;
    return *this;
  }
  std::string object() const { return "{ " + text + " }"; }
  std::string list() const { return "[" + text + "]"; }
};

template <class T>
std::string names() {
  Json list;
  for (size_t k = 0; k < field_count<T>; k++) list.add(quoted(field_name(field_list<T>(), k)));
  return list.list();
}

template <class R>
std::string rule(uint32_t index) {
  Json slots;
  for (const Slot& s : R::slots)
    slots.add(Json()
                  .put("name", quoted(s.name))
                  .put("group", number(s.group))
                  .put("initial", quoted(s.value))
                  .put("extent", number(uint32_t(s.extent)))
                  .put("neverNegative", s.never_negative ? "true" : "false")
                  .object());
  Json facts;
  if constexpr (whole<R>) facts.put("coefs", names<CoefOf<R, float>>());
  return facts.put("index", number(index))
      .put("slots", slots.list())
      .put("whole", whole<R> ? "true" : "false")
      .put("passes", number(two_passes<R> ? 2 : 1))
      .put("sums", number(gpu_sum_count<R>))
      .put("usesWeights", uses_weights<R> ? "true" : "false")
      .put("hypers", names<typename R::Hyper>())
      .put("scalars", names<typename ScalarsOf<R>::type>())
      .object();
}

// What a rule's coefficients are called, for docs/kernels.md; TypeScript does not use it, and does not load
// it.
std::string coef_names() {
  Json all;
  for (uint32_t k = 0; k < rule_count; k++) {
    with_rule(k, [&]<Rule R> { all.put(R::name, names<CoefOf<R, float>>()); });
  }
  return all.object();
}

std::string rules() {
  Json all;
  for (uint32_t k = 0; k < rule_count; k++) {
    with_rule(k, [&]<Rule R> { all.put(R::name, rule<R>(k)); });
  }
  return all.object();
}

template <class T>
std::string places(std::initializer_list<std::pair<std::string_view, size_t>> bytes) {
  Json all;
  all.put("words", number(sizeof(T) / 4));
  for (const auto& [name, at] : bytes) all.put(name, number(at / 4));
  return all.object();
}

}  // namespace

std::string facts() {
  Json pipe, roles, offsets;
  for (size_t k = 0; k < field_count<Pipe<float>>; k++)
    pipe.put(field_name(field_list<Pipe<float>>(), k), number(k));
  const std::pair<std::string_view, Role> named[] = {{"weights", Role::weights},
                                                     {"gradient", Role::gradient},
                                                     {"accumulator", Role::accumulator},
                                                     {"average", Role::average},
                                                     {"slots", Role::slots}};
  for (const auto& [name, role] : named) roles.put(name, number(uint32_t(role)));
  for (uint32_t k = 0; k < uint32_t(Role::slots) + max_slots; k++) offsets.add(number(page_offset(Role(k))));
  return Json()
      .put("fingerprint", number(fingerprint))
      .put("rules", rules())
      .put("dialects", Json()
                           .put("keras", number(uint32_t(Dialect::keras)))
                           .put("optimizerV2", number(uint32_t(Dialect::optimizer_v2)))
                           .put("torch", number(uint32_t(Dialect::torch)))
                           .put("tfjs", number(uint32_t(Dialect::tfjs)))
                           .object())
      .put("roles", roles.object())
      .put("page", Json().put("bytes", number(page)).put("offsets", offsets.list()).object())
      .put("storages", Json()
                           .put("float32", number(uint32_t(Storage::float32)))
                           .put("bfloat16", number(uint32_t(Storage::bfloat16)))
                           .put("int8", number(uint32_t(Storage::int8)))
                           .object())
      .put("block", Json().put("size", number(block_size)).put("words", number(block_floats)).object())
      .put("tileSize", number(tile_size))
      .put("scratchBytes", number(sizeof(Scratch)))
      .put("pipe", pipe.object())
      .put("coefs", number(max_coefs))
      .put("coefNames", coef_names())
      .put("row", places<Row>({{"pipe", offsetof(Row, pipe)},
                               {"coef", offsetof(Row, coef)},
                               {"n", offsetof(Row, n)},
                               {"stages", offsetof(Row, stages)}}))
      .put("entry", places<Entry>({{"row", offsetof(Entry, row)},
                                   {"gradient", offsetof(Entry, g)},
                                   {"sumOfSquares", offsetof(Entry, sum_of_squares)},
                                   {"clipped", offsetof(Entry, clipped)},
                                   {"partial", offsetof(Entry, partial)}}))
      .put("report", places<Optimizer::Report>({{"count", offsetof(Optimizer::Report, count)},
                                                {"update", offsetof(Optimizer::Report, update)},
                                                {"rate", offsetof(Optimizer::Report, rate)},
                                                {"scale", offsetof(Optimizer::Report, scale)},
                                                {"rows", offsetof(Optimizer::Report, rows)}}))
      .put("told", places<Optimizer::Told>({{"row", offsetof(Optimizer::Told, row)},
                                            {"away", offsetof(Optimizer::Told, away)},
                                            {"gradient", offsetof(Optimizer::Told, tally.gradient)},
                                            {"clipped", offsetof(Optimizer::Told, tally.clipped)},
                                            {"update", offsetof(Optimizer::Told, tally.update)},
                                            {"weights", offsetof(Optimizer::Told, tally.weights)},
                                            {"zeros", offsetof(Optimizer::Told, tally.zeros)},
                                            {"nonfinite", offsetof(Optimizer::Told, tally.nonfinite)}}))
      .put("record", Json()
                         .put("words", number(record_words))
                         .put("entry", number(field_count<RecordHead> - 2))
                         .put("clips", number(field_count<RecordHead> - 1))
                         .put("pipe", number(record_pipe))
                         .put("coef", number(record_coef))
                         .object())
      .object();
}

}  // namespace simdescent
