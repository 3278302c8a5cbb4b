// Random sequences of calls, with options that change midway, against the reference of reference.h, bit for
// bit. What it is for is what the sanitizers see: a list, a part or a sum that outlives what it was made for.
#include "driver.h"
#include "kernels.h"

namespace simdescent::tests {
namespace {

template <class T>
T one_of(Random& random, std::initializer_list<T> list) {
  return list.begin()[random.below(uint32_t(list.size()))];
}

Options drawn(Random& random) {
  Options o;
  o.averages = random.below(2);
  o.accumulation_steps = one_of(random, {0u, 0u, 1u, 3u});
  o.dialect = one_of(random, {Dialect::keras, Dialect::keras, Dialect::torch});
  return o;
}

// What may change between two calls: not which state there is.
void change(Random& random, Options& o) {
  o.clipnorm = one_of(random, {0.0, 0.0, 0.7, 1.0});
  o.global_clipnorm = o.clipnorm > 0 ? 0.0 : one_of(random, {0.0, 0.7, 1.0});
  o.clipvalue = one_of(random, {0.0, 0.0, 0.3});
  o.clamp_first = random.below(2);
  o.decays = random.below(2);
  o.weight_decay = one_of(random, {0.0, 0.04});
  o.l2 = one_of(random, {0.0, 0.0, 0.01});
  o.loss_scale = one_of(random, {1.0, 128.0, 3.0, 0x1p-130});
  o.ema_momentum = one_of(random, {0.0, 0.8});
  o.overwrite_frequency = o.averages ? one_of(random, {0u, 1u, 2u}) : 0;
  // By PyTorch variables count their updates themselves, which is not to be told from the number of calls.
  if (o.accumulation_steps && o.dialect != Dialect::torch)
    o.accumulation_steps = one_of(random, {1u, 2u, 3u});
}

Gradients gradients_for(Random& random, const std::vector<Floats>& weights) {
  Gradients gradients;
  for (const Floats& w : weights) {
    const bool is_special = random.below(8) == 0;
    if (random.below(4) == 0)
      gradients.push_back(std::nullopt);
    else
      gradients.push_back(is_special ? random.mixed(w.size()) : random.units(w.size()));
  }
  return gradients;
}

void run(Random& random, Place place) {
  const uint32_t rule = random.below(element_rule_count);
  Options o = drawn(random);
  std::vector<Floats> initial;
  for (uint32_t count = 1 + random.below(4); count > 0; count--) {
    initial.push_back(random.units(one_of(random, {0u, 1u, 5u, 8u, 33u, 140u, 2500u})));
  }
  Driver driver(rule, o, initial, place);
  Reference reference(rule, o, initial);
  const auto set_rate = [&](double rate) {
    driver.optimizer.set_rate(0, rate);
    for (ReferenceVariable& v : reference.variables) v.rate = rate;
  };
  set_rate(0.01);
  for (uint32_t call = 0; call < 12; call++) {
    const uint32_t row = random.below(uint32_t(initial.size()));
    switch (random.below(8)) {
      case 0:
        change(random, o);
        driver.set_options(o);
        reference.options = o;
        break;
      case 1:
        set_rate(one_of(random, {0.0, 0.003, -0.3}));
        break;
      case 2:
        if (o.dialect == Dialect::torch) break;
        reference.calls = random.below(20);
        driver.optimizer.count_from(reference.calls);
        break;
      case 3:
        driver.optimizer.exclude_from_decay(row);
        reference.variables[row].excluded = true;
        break;
      case 4:
        driver.weights[row] = reference.variables[row].w = initial[row];
        break;
      default: {
        const Gradients gradients = gradients_for(random, initial);
        driver.step(gradients);
        reference.step(gradients);
      }
    }
    ASSERT_TRUE(same(state_of(driver), state_of(reference))) << rule_name(rule) << ", call " << call;
  }
}

class Sequences : public ::testing::TestWithParam<Place> {};

TEST_P(Sequences, HaveTheBitsOfTheReference) {
  Random random(2027);
  for (uint32_t k = 0; k < 80 && !HasFatalFailure(); k++) run(random, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Places, Sequences,
                         ::testing::Values(Place::resident, Place::foreign, Place::foreign_weights,
                                           Place::foreign_gradient, Place::elsewhere, Place::parts));

}  // namespace
}  // namespace simdescent::tests
