// Terms of the label's probability alone: value phi(p_y), dz_k = c p_k with c = -p_y phi'(p_y).
#pragma once

#include "row.h"

namespace noisykernels {
namespace {

template <class V>
NOISYKERNELS_INLINE void of_probability(const Row<V>& row, V w, V value, V c, Gradient<V>& g) {
  g.value += w * value;
  g.power[0] += w * c * row.sum_inv;
  g.label -= w * c * row.miss;
}

// (1 - p_y)^gamma
template <class V>
NOISYKERNELS_INLINE V power_of_miss(const Row<V>& row, V gamma) {
  const V power = exp(gamma * log(row.miss));
  return gamma == 0.0 ? V{} + 1.0 : power;
}

// -log p_y
template <class V>
NOISYKERNELS_INLINE void ce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  of_probability(row, t.weight, -row.log_p, V{} + 1.0, g);
}

// 1 - p_y
template <class V>
NOISYKERNELS_INLINE void mae(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  of_probability(row, t.weight, row.miss, row.p, g);
}

// (1 - p_y^q) / q
template <class V>
NOISYKERNELS_INLINE void gce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V q_log_p = t.parameter * row.log_p;
  of_probability(row, t.weight, -expm1(q_log_p) / t.parameter, exp(q_log_p), g);
}

// -(1 - p_y)^gamma log p_y; with the second parameter set the factor counts as constant
template <class V>
NOISYKERNELS_INLINE void focal(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V factor = power_of_miss(row, t.parameter);
  // log p / (1 - p) tends to -1 where the label is certain, p log p to 0 where it is hopeless.
  V ratio = row.p * row.log_p / row.miss;
  ratio = row.miss == 0.0 ? V{} - 1.0 : ratio;
  ratio = row.p == 0.0 ? V{} : ratio;
  const V c = factor * (1.0 - t.parameter * ratio);
  of_probability(row, t.weight, -factor * row.log_p, t.second == 0.0 ? c : factor, g);
}

// (1 - max(p_y, k)^q) / q, the second parameter is log k
template <class V>
NOISYKERNELS_INLINE void truncated_gce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const auto below = row.log_p <= t.second;
  const V q_log_p = t.parameter * (below ? t.second : row.log_p);
  const V c = below ? V{} : exp(q_log_p);
  of_probability(row, t.weight, -expm1(q_log_p) / t.parameter, c, g);
}

// sum of (1 - p_y)^i / i up to the order
template <class V>
NOISYKERNELS_INLINE void taylor_ce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  V value = {}, c = {}, power = V{} + 1.0;
  for (int i = 1; i <= kMaxOrder; ++i) {
    const auto counts = t.parameter >= double(i);
    c += counts ? power : V{};
    power *= row.miss;
    value += counts ? power * (1.0 / i) : V{};
  }
  of_probability(row, t.weight, value, row.p * c, g);
}

// -log p_y where p_y > 1 / tau, else the tangent there, log tau + 1 - tau p_y
template <class V>
NOISYKERNELS_INLINE void phuber_ce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V tau = t.parameter;
  const auto linear = tau * row.p <= 1.0;
  // 1 - tau p_y by 1 - p_y: at tau next to 1 it would cancel.
  const V tangent = log(tau) + (row.miss - (tau - 1.0) * row.p);
  of_probability(row, t.weight, linear ? tangent : -row.log_p, linear ? tau * row.p : V{} + 1.0, g);
}

// ((a + 1)^q - (a + p_y)^q) / q
template <class V>
NOISYKERNELS_INLINE void agce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V a = t.parameter, q = t.second, base = a + row.p;
  const V value = -exp(q * log(a + 1.0)) * expm1(-q * log1p(row.miss / base)) / q;
  of_probability(row, t.weight, value, row.p * exp((q - 1.0) * log(base)), g);
}

// ((a - p_y)^q - (a - 1)^q) / q
template <class V>
NOISYKERNELS_INLINE void aul(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V a = t.parameter, q = t.second, base = (a - 1.0) + row.miss, log_base = log(base);
  const V value = -exp(q * log_base) * expm1(-q * log1p(row.miss / (a - 1.0))) / q;
  of_probability(row, t.weight, value, row.p * exp((q - 1.0) * log_base), g);
}

// exp(-p_y / a)
template <class V>
NOISYKERNELS_INLINE void ael(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V share = row.p / t.parameter;
  const V value = exp(-share);
  of_probability(row, t.weight, value, share * value, g);
}

// -log((p_y + m) / (1 + m)) where the label leads, -log(p_y / (1 + m)) elsewhere
template <class V>
NOISYKERNELS_INLINE void eps_softmax_ce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V m = t.parameter, raised = row.p + m;
  const auto leads = row.logit >= 0.0;
  const V log1 = log1p(leads ? row.miss / raised : m);
  const V value = leads ? log1 : log1 - row.log_p;
  of_probability(row, t.weight, value, leads ? row.p / raised : V{} + 1.0, g);
}

// The lines of the table that are of this file: see table.h.
#define NOISYKERNELS_PROBABILITY_TERMS(X) \
  X(ce, kSoftmax, true)                   \
  X(mae, kSoftmax, true)                  \
  X(gce, kSoftmax, true)                  \
  X(focal, kSoftmax, true)                \
  X(truncated_gce, kSoftmax, true)        \
  X(taylor_ce, kSoftmax, true)            \
  X(phuber_ce, kSoftmax, true)            \
  X(agce, kSoftmax, true)                 \
  X(aul, kSoftmax, true)                  \
  X(ael, kSoftmax, true)                  \
  X(eps_softmax_ce, kSoftmax, true)

}  // namespace
}  // namespace noisykernels
