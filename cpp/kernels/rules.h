// The list of update rules: one line each. Loops, selection, facts and tests all read it.
#pragma once
#include <algorithm>
#include <array>
#include <tuple>

#include "kernels/adadelta.h"
#include "kernels/adafactor.h"
#include "kernels/adagrad.h"
#include "kernels/adam.h"
#include "kernels/adamax.h"
#include "kernels/ftrl.h"
#include "kernels/lamb.h"
#include "kernels/lion.h"
#include "kernels/muon.h"
#include "kernels/nadam.h"
#include "kernels/rmsprop.h"
#include "kernels/schedule_free.h"
#include "kernels/sgd.h"

namespace simdescent {

using Rules = std::tuple<          //
    Adam,                          //
    AmsGrad,                       //
    Adamax,                        //
    TorchAdamax,                   //
    Sgd,                           //
    SgdMomentum,                   //
    SgdNesterov,                   //
    TorchMomentum,                 //
    TorchNesterov,                 //
    RmsProp,                       //
    RmsPropMomentum,               //
    RmsPropCentered,               //
    RmsPropCenteredMomentum,       //
    TorchRmsProp,                  //
    TorchRmsPropMomentum,          //
    TorchRmsPropCentered,          //
    TorchRmsPropCenteredMomentum,  //
    Adagrad,                       //
    TorchAdagrad,                  //
    Adadelta,                      //
    TfjsAdadelta,                  //
    Nadam,                         //
    RAdam,                         //
    Ftrl,                          //
    FtrlPower,                     //
    Lion,                          //
    ScheduleFreeAdamW,             //
    Lamb,                          //
    Adafactor,                     //
    Muon>;

inline constexpr uint32_t rule_count = std::tuple_size_v<Rules>;

// Those that read whole variables are the last ones.
template <class>
inline constexpr uint32_t element_rules = 0;
template <class... R>
inline constexpr uint32_t element_rules<std::tuple<R...>> = (uint32_t(!whole<R>) + ...);
inline constexpr uint32_t element_rule_count = element_rules<Rules>;
static_assert(!whole<std::tuple_element_t<element_rule_count - 1, Rules>>);

// f.template operator()<R>() for rule number `rule`. Chains of comparisons, not a table of function
// pointers: the memory-less module has no place to keep one.
template <class F>
[[gnu::always_inline]] constexpr void with_rule(uint32_t rule, F f) {
  [&]<size_t... K>(std::index_sequence<K...>) __attribute__((always_inline)) {
    ((rule == K ? f.template operator()<std::tuple_element_t<K, Rules>>() : void()), ...);
  }
  (std::make_index_sequence<rule_count>{});
}

// The largest f.template operator()<R>() of all rules.
template <class F>
constexpr size_t most(F f) {
  size_t found = 0;
  for (uint32_t rule = 0; rule < rule_count; rule++) {
    with_rule(rule, [&]<class R> { found = std::max<size_t>(found, f.template operator()<R>()); });
  }
  return found;
}

// What there must be room for.
static_assert(most([]<class R> { return R::slots.size(); }) <= max_slots, "Raise max_slots in rule.h.");
inline constexpr size_t max_coefs = most([]<class R> { return field_count<CoefOf<R, float>>; });
inline constexpr size_t max_hypers = most([]<class R> { return field_count<typename R::Hyper>; });
inline constexpr size_t max_scalars = most([]<class R> { return field_count<typename ScalarsOf<R>::type>; });
inline constexpr size_t max_sums = most([]<class R> { return sum_count<R>; });

}  // namespace simdescent
