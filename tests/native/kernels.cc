// The one compilation of kernels.h.
#include "kernels.h"

namespace simdescent::tests {

void step_row(uint32_t rule, const Row& row) {
  static Scratch scratch;
  step(rule, &row, 1, scratch);
}

void update_by_scalars(uint32_t rule, const Row& row) {
  with_rule(rule, [&]<Rule R> { tail<R>(row, 0); });
}

}  // namespace simdescent::tests
