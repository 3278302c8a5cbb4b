// The kernels as somebody outside the engine has them: compiled once for all tests, since every rule with
// every combination of stages takes a sanitizing compiler half a minute.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "kernels/table.h"

namespace simdescent::tests {

// One variable through one step, as its row says.
void step_row(uint32_t rule, const Row& row);
// The update by the scalar lane alone.
void update_by_scalars(uint32_t rule, const Row& row);

// For tests of every rule in the table, which is what a new rule gets them by: Range(0u, element_rule_count).
inline std::string name_of_rule(const ::testing::TestParamInfo<uint32_t>& info) {
  return std::string(rule_name(info.param));
}

// The number of a rule in the table.
template <class R>
uint32_t number_of() {
  for (uint32_t rule = 0; rule < element_rule_count; rule++) {
    if (rule_name(rule) == R::name) return rule;
  }
  return rule_count;
}

}  // namespace simdescent::tests
