// The reference of reference.h: plain loops over floats.
#include "reference.h"

#include <algorithm>
#include <cmath>

#include "kernels/table.h"

namespace simdescent::tests {

float numpy_sum(std::span<const float> x) {
  const size_t n = x.size();
  if (n < 8) {
    float sum = 0;
    for (const float v : x) sum += v;
    return sum;
  }
  if (n <= 128) {
    float running[8];
    for (size_t k = 0; k < 8; k++) {
      running[k] = x[k];
      for (size_t i = 8 + k; i < n - n % 8; i += 8) running[k] += x[i];
    }
    const float low = (running[0] + running[1]) + (running[2] + running[3]);
    const float high = (running[4] + running[5]) + (running[6] + running[7]);
    float sum = low + high;
    for (size_t i = n - n % 8; i < n; i++) sum += x[i];
    return sum;
  }
  size_t half = n / 2;
  half -= half % 8;
  const float front = numpy_sum(x.first(half));
  return front + numpy_sum(x.subspan(half));
}

float numpy_sum_of_squares(std::span<const float> x) {
  Floats squares(x.begin(), x.end());
  for (float& v : squares) v = v * v;
  return numpy_sum(squares);
}

Hypers hypers_of(uint32_t rule, const HyperMap& given) {
  Hypers values = default_hypers(rule);
  with_rule(rule, [&]<Rule R> {
    for (size_t k = 0; k < field_count<typename R::Hyper>; k++) {
      const auto found = given.find(field_name(field_list<typename R::Hyper>(), k));
      if (found != given.end()) values[k] = found->second;
    }
  });
  return values;
}

Floats first_slot(uint32_t rule, size_t k, const HyperMap& given, const Floats& w) {
  const std::string_view what = slots(rule)[k].value;
  if (what == initial::weights) return w;
  if (what == initial::zeros) return Floats(w.size());
  double value = 0;
  with_rule(rule, [&]<Rule R> {
    using Hyper = typename R::Hyper;
    for (size_t h = 0; h < field_count<Hyper>; h++) {
      if (field_name(field_list<Hyper>(), h) == what) value = hypers_of(rule, given)[h];
    }
  });
  return Floats(w.size(), float(value));
}

Reference::Reference(uint32_t rule, const Options& options, const std::vector<Floats>& weights)
    : options(options), rule_(rule) {
  for (const Floats& w : weights) {
    ReferenceVariable v;
    v.w = w;
    v.acc = v.avg = Floats(w.size());
    v.scalars = first_scalars(rule);
    for (size_t k = 0; k < slots(rule).size(); k++) v.slots.push_back(first_slot(rule, k, options.hypers, w));
    variables.push_back(v);
  }
}

void Reference::step(const Gradients& gradients) {
  const Options& o = options;
  Present present;
  for (size_t k = 0; k < gradients.size(); k++) {
    if (gradients[k]) present.emplace_back(&variables[k], *gradients[k]);
  }
  for (auto& [v, g] : present) {
    for (float& x : g) x = x / float(o.loss_scale);
  }
  const uint32_t steps = o.accumulation_steps, updates = steps ? calls / steps : calls;
  for (ReferenceVariable& v : variables) {
    if (o.dialect != Dialect::torch) v.updates = updates;
  }
  if (steps && (calls + 1) % steps != 0) {
    for (auto& [v, g] : present) {
      for (size_t i = 0; i < g.size(); i++) v->acc[i] = g[i] + v->acc[i];
    }
  } else {
    for (auto& [v, g] : present) {
      for (size_t i = 0; steps && i < g.size(); i++) g[i] = (g[i] + v->acc[i]) / float(steps);
    }
    told.clear();
    for (auto& [v, g] : present) {
      const auto count = [&](auto f) { return uint32_t(std::count_if(g.begin(), g.end(), f)); };
      Tally t{};
      t.gradient = numpy_sum_of_squares(g);
      t.zeros = count([](float x) { return x == 0; });
      t.nonfinite = count([](float x) { return !std::isfinite(x); });
      told.push_back({uint32_t(v - variables.data()), t});
    }
    clip(present);
    // Where a norm alone clips, what scaling makes 0 counts as 0.
    const bool by_norm = o.clipnorm > 0, counts = (by_norm || o.global_clipnorm > 0) && o.l2 == 0 &&
                                                  !(o.clipvalue > 0 && o.clamp_first);
    float all = 0;
    for (const ReferenceTold& one : told) all += one.tally.gradient;
    for (size_t j = 0; counts && j < told.size(); j++) {
      Tally& t = told[j].tally;
      if (!std::isfinite(by_norm ? t.gradient : all)) continue;
      t.zeros = uint32_t(std::count(present[j].second.begin(), present[j].second.end(), 0.f));
    }
    size_t k = 0;
    for (auto& [v, g] : present) {
      const Floats before = v->w;
      for (size_t i = 0; o.l2 != 0 && !v->excluded && i < g.size(); i++) g[i] = g[i] + v->w[i] * float(o.l2);
      if (o.decays && !v->excluded) {
        const float kept = float(1 - v->rate * o.weight_decay);
        for (float& w : v->w)
          w = o.dialect == Dialect::torch ? w * kept : w - (w * float(o.weight_decay)) * float(v->rate);
      }
      apply_rule(*v, g);
      Floats update;
      for (size_t i = 0; i < g.size(); i++) update.push_back(v->w[i] - before[i]);
      Tally& t = told[k++].tally;
      t.clipped = numpy_sum_of_squares(g);
      t.update = numpy_sum_of_squares(update), t.weights = numpy_sum_of_squares(v->w);
    }
    for (size_t k = 0; k < variables.size(); k++) {
      ReferenceVariable& v = variables[k];
      v.acc.assign(v.acc.size(), 0);
      if (o.dialect == Dialect::torch && !gradients[k]) continue;
      v.updates++;
      advance(rule_, hypers_of(rule_, o.hypers), {0, v.updates, o.dialect}, v.scalars);
    }
  }
  if (o.averages) {
    const float momentum = updates ? float(o.ema_momentum) : 0;
    const bool overwrites = o.overwrite_frequency && (updates + 1) % o.overwrite_frequency == 0;
    for (ReferenceVariable& v : variables) {
      for (size_t i = 0; i < v.w.size(); i++) v.avg[i] = momentum * v.avg[i] + (1 - momentum) * v.w[i];
      if (overwrites) v.w = v.avg;
    }
  }
  calls++;
}

// optimizer_v2 clips by value and then by norm; Keras 3 does one of the three, the norm before the others.
void Reference::clip(Present& present) const {
  const Options& o = options;
  const bool by_norm = o.clipnorm > 0, global = !by_norm && o.global_clipnorm > 0;
  if (o.clipvalue > 0 && (o.clamp_first || !(by_norm || global))) {
    const float limit = float(o.clipvalue);
    for (auto& [v, g] : present) {
      for (float& x : g) x = x < -limit ? -limit : x > limit ? limit : x;
    }
  }
  if (by_norm) {
    for (auto& [v, g] : present) {
      const float sum = numpy_sum_of_squares(g), norm = sum > 0 ? std::sqrt(sum) : sum, c = float(o.clipnorm);
      const float divisor = std::isnan(norm) || norm > c ? norm : c;
      for (float& x : g) x = (x * c) / divisor;
    }
  }
  if (global) {
    Floats sums;
    for (auto& [v, g] : present) sums.push_back(numpy_sum_of_squares(g));
    const float norm = std::sqrt(numpy_sum(sums)), inverse = 1 / norm, limit = float(1 / o.global_clipnorm);
    const float smaller = std::isnan(inverse) || inverse < limit ? inverse : limit;
    const float factor = float(o.global_clipnorm) * smaller + (norm - norm);
    for (auto& [v, g] : present) {
      for (float& x : g) x = x * factor;
    }
  }
}

void Reference::apply_rule(ReferenceVariable& v, const Floats& g) const {
  float coef[max_coefs];
  const auto hypers = hypers_of(rule_, options.hypers);
  coefficients(rule_, hypers, {v.rate, v.updates + 1, options.dialect}, v.scalars, coef);
  const auto elements = [&](size_t i, float*(&at)[max_slots]) {
    for (size_t k = 0; k < v.slots.size(); k++) at[k] = &v.slots[k][i];
  };
  if (sums_of(rule_)) {
    std::vector<Floats> terms(sums_of(rule_), Floats(g.size()));
    for (size_t i = 0; i < g.size(); i++) {
      float *at[max_slots] = {}, *out[max_sums] = {};
      elements(i, at);
      for (size_t k = 0; k < terms.size(); k++) out[k] = &terms[k][i];
      first_element(rule_, coef, v.w[i], g[i], at, out);
    }
    Floats sums;
    for (const Floats& t : terms) sums.push_back(numpy_sum(t));
    resolve(rule_, sums.data(), coef);
  }
  for (size_t i = 0; i < g.size(); i++) {
    float* at[max_slots] = {};
    elements(i, at);
    update_element(rule_, coef, v.w[i], g[i], at);
  }
}

namespace {

template <class R, size_t... K>
void terms_of(const CoefOf<R, f32x1>& k, f32x1 w, const f32x1* s, std::span<float* const> out,
              std::index_sequence<K...>) {
  ((*out[K] = R::template term<K, f32x1>(w, R::direction(k, s)).v), ...);
}

}  // namespace

void first_element(uint32_t rule, const float* coef, float w, float g, std::span<float* const> slots,
                   std::span<float* const> out) {
  with_rule(rule, [&]<Rule R> {
    if constexpr (two_passes<R>) {
      f32x1 s[slot_room<R>];
      for (size_t k = 0; k < R::slots.size(); k++) s[k] = *slots[k];
      const auto c = coefficients<R, f32x1>(coef);
      R::template first<f32x1>(c, g, s);
      for (size_t k = 0; k < R::slots.size(); k++) *slots[k] = s[k].v;
      terms_of<R>(c, w, s, out, std::make_index_sequence<R::sums>{});
    }
  });
}

void update_element(uint32_t rule, const float* coef, float& w, float g, std::span<float* const> slots) {
  with_rule(rule, [&]<Rule R> {
    if constexpr (whole<R>)
      return;
    else {
      f32x1 x = w, s[slot_room<R>];
      for (size_t k = 0; k < R::slots.size(); k++) s[k] = *slots[k];
      R::template update<f32x1>(coefficients<R, f32x1>(coef), x, g, s);
      w = x.v;
      for (size_t k = 0; k < R::slots.size(); k++) *slots[k] = s[k].v;
    }
  });
}

}  // namespace simdescent::tests
