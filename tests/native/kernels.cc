// The one compilation of kernels.h.
#include "kernels.h"

#include <vector>

namespace simdescent::tests {

void step_row(uint32_t rule, const Row& row) {
  static Scratch scratch;
  step(rule, &row, 1, scratch);
}

void update_by_scalars(uint32_t rule, const Row& row) {
  const Stages s = Stages::of(row.stages);
  const auto k = broadcast<f32x1>(*row.pipe);
  std::vector<float> prepared(row.n);
  for (uint32_t i = 0; i < row.n; i++) {
    f32x1 acc = s.gathers() ? row.acc[i] : 0;
    prepared[i] = prepare<f32x1>(s, k, row.g[i], row.w[i], acc).v;
    if (s.gathers()) row.acc[i] = acc.v;
  }
  const Stages plain{.decay = s.decay, .average = s.average};
  with_rule(rule, [&]<Rule R> {
    if constexpr (!whole<R>) sweep<R, f32x1>(plain, row, 0, row.n, prepared.data());
  });
}

}  // namespace simdescent::tests
