#include "engine/schedules.h"

#include <cmath>

#include "engine/cosine.h"

namespace simdescent {
namespace {

constexpr float pi = 3.14159274f;

float quotient(float step, float decay_steps, bool staircase) {
  const float q = step / decay_steps;
  return staircase ? floorf(q) : q;
}

// From `from` at x = 0 down to alpha * from at x = length.
float along_cosine(float from, float x, float length, double alpha) {
  const float half = 0.5f * (1 + cosine(pi * (x / length)));
  return from * (float(1 - alpha) * half + float(alpha));
}

float at_most(float x, float limit) { return x < limit ? x : limit; }

}  // namespace

float exponential_decay(float initial, float step, float decay_steps, float rate, bool staircase) {
  return initial * powf(rate, quotient(step, decay_steps, staircase));
}

float polynomial_decay(float initial, float step, float decay_steps, float end, float power, bool cycle) {
  if (cycle) {
    decay_steps = decay_steps * (step == 0 ? 1 : ceilf(step / decay_steps));
  } else {
    step = at_most(step, decay_steps);
  }
  return (initial - end) * powf(1 - step / decay_steps, power) + end;
}

float inverse_time_decay(float initial, float step, float decay_steps, float rate, bool staircase) {
  return initial / (1 + rate * quotient(step, decay_steps, staircase));
}

float cosine_decay(float initial, float step, float decay_steps, double alpha) {
  return along_cosine(initial, at_most(step, decay_steps), decay_steps, alpha);
}

float cosine_decay_warmup(float initial, float step, float decay_steps, double alpha, float target,
                          float warmup_steps) {
  step = at_most(step, decay_steps + warmup_steps);
  if (step < warmup_steps) return (target - initial) * (step / warmup_steps) + initial;
  return along_cosine(target, step - warmup_steps, decay_steps, alpha);
}

float cosine_decay_restarts(float initial, float step, float first_decay_steps, float t, float m,
                            float alpha) {
  float completed = step / first_decay_steps, restart;
  if (t == 1) {
    restart = floorf(completed);
    completed = completed - restart;
  } else {
    restart = floorf(logf(1 - completed * (1 - t)) / logf(t));
    const float length = powf(t, restart), before = (1 - length) / (1 - t);
    completed = (completed - before) / length;
  }
  const float height = 0.5f * powf(m, restart);
  const float half = height * (1 + cosine(pi * completed));
  return initial * ((1 - alpha) * half + alpha);
}

}  // namespace simdescent
