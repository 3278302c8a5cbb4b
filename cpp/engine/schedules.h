// Keras' learning-rate schedules in float32, one rounding per operation. Here and not in TypeScript because
// powf, logf and a cosine compiled into the module have the same bits in every engine, Math.pow and Math.cos
// not.
#pragma once

namespace simdescent {

// Sources: keras.optimizers.schedules. `step` is the raw iteration, from 0, exact below 2^24.
float exponential_decay(float initial, float step, float decay_steps, float rate, bool staircase);
float polynomial_decay(float initial, float step, float decay_steps, float end, float power, bool cycle);
float inverse_time_decay(float initial, float step, float decay_steps, float rate, bool staircase);
float cosine_decay(float initial, float step, float decay_steps, double alpha);
float cosine_decay_warmup(float initial, float step, float decay_steps, double alpha, float target,
                          float warmup_steps);
float cosine_decay_restarts(float initial, float step, float first_decay_steps, float t_mul, float m_mul,
                            float alpha);

}  // namespace simdescent
