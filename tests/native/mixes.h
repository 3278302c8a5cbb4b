// Options together, for tests that run over them: one of each way that a step can go.
#pragma once
#include <vector>

#include "reference.h"

namespace simdescent::tests {

struct Mix {
  const char* name;
  Options options;
};

// Plain, by norm, general, gathering, averaging.
inline std::vector<Mix> mixes() {
  std::vector<Mix> list(7);
  list[0].name = "plain";
  list[1].name = "clipnorm";
  list[1].options.clipnorm = 0.5;
  list[2].name = "globalClipnorm and loss scale";
  list[2].options.global_clipnorm = 2, list[2].options.loss_scale = 64;
  list[3].name = "accumulation, clipnorm, average";
  list[3].options.accumulation_steps = 2, list[3].options.clipnorm = 0.5, list[3].options.averages = true;
  list[4].name = "general: loss scale, accumulation, clipnorm";
  list[4].options.loss_scale = 3, list[4].options.accumulation_steps = 3, list[4].options.clipnorm = 1;
  list[5].name = "general: two clips, L2, decay";
  list[5].options.clamp_first = true, list[5].options.clipvalue = 0.4, list[5].options.global_clipnorm = 3;
  list[5].options.l2 = 0.01, list[5].options.decays = true, list[5].options.weight_decay = 0.1;
  list[6].name = "average with overwrite";
  list[6].options.averages = true, list[6].options.overwrite_frequency = 2,
  list[6].options.ema_momentum = 0.5;
  return list;
}

// Each option that a monitored step takes care of, and some together.
inline std::vector<Options> monitored_mixes() {
  std::vector<Options> list(12);
  list[1].decays = true, list[1].weight_decay = 0.04;
  list[2].clipnorm = 0.7;
  list[3].global_clipnorm = 0.9;
  list[4].clipvalue = 0.3;
  list[5].averages = true, list[5].overwrite_frequency = 2;
  list[6].accumulation_steps = 2;
  list[7].accumulation_steps = 3, list[7].clipvalue = 0.2;
  list[8].loss_scale = 3, list[8].clipvalue = 0.1;
  list[9].l2 = 0.02, list[9].clamp_first = true, list[9].clipvalue = 0.5, list[9].clipnorm = 0.6;
  list[11].l2 = 0.02;
  list[10] = list[1];
  list[10].loss_scale = 1024, list[10].accumulation_steps = 2, list[10].averages = true,
  list[10].clipnorm = 0.1;
  return list;
}

}  // namespace simdescent::tests
