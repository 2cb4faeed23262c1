// Terms that need more of the softmax than the label's probability.
#pragma once

#include "row.h"

namespace noisykernels {
namespace {

// What has sums of powers p_k^q in it: p_y^q, the sum of the others, and l^-q, which makes both of
// exp(q d_k).
template <class V>
struct Powers {
  V label;
  V others;
  V unit;

  NOISYKERNELS_INLINE Powers(const Row<V>& row, const Weighted<V>& t) {
    label = exp(t.parameter * row.log_p);
    unit = exp(-t.parameter * row.log_sum);
    others = row.others[t.power] * unit;
  }
};

// (mean_k p_k^q - p_y^q) / q
template <class V>
NOISYKERNELS_INLINE void sgce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const Powers<V> power(row, t);
  const V w = t.weight, share = 1.0 / row.classes;
  g.value += w * (power.others - (row.classes - 1.0) * power.label) * share / t.parameter;
  g.power[0] += w * (power.label - (power.label + power.others) * share) * row.sum_inv;
  g.power[t.power] += w * share * power.unit;
  g.label -= w * (power.label * row.miss * (1.0 - share) + power.others * row.p * share);
}

// (1 - softmax(alpha z)_y) / alpha
template <class V>
NOISYKERNELS_INLINE void alpha_mae(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V e_y = exp(t.parameter * row.logit);
  const V sum_inv = 1.0 / (row.others[t.power] + e_y);
  const V s = e_y * sum_inv;
  const V miss = row.others[t.power] * sum_inv;
  g.value += t.weight * miss / t.parameter;
  g.power[t.power] += t.weight * s * sum_inv;
  g.label -= t.weight * s * miss;
}

// -(1/C) sum_k w_k log p_k
template <class V>
NOISYKERNELS_INLINE void smoothing(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V share = t.weight / row.classes;
  g.value += share * (row.class_weights * row.log_sum - row.weighted);
  g.power[0] += share * row.class_weights * row.sum_inv;
  g.class_weight -= share;
  g.label += share * (row.class_weights * row.p - row.label_weight);
}

// log p_y / sum_k log p_k
template <class V>
NOISYKERNELS_INLINE void nce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V total = row.classes * row.log_sum - row.linear;
  const V value = -row.log_p / total;
  const V scale = t.weight / total;
  g.value += t.weight * value;
  g.power[0] += scale * (1.0 - row.classes * value) * row.sum_inv;
  g.constant += scale * value;
  g.label -= scale * (row.miss + value * (row.classes * row.p - 1.0));
}

// (1 - p_y^q) / sum_k (1 - p_k^q)
template <class V>
NOISYKERNELS_INLINE void ngce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const Powers<V> power(row, t);
  const V sum = power.label + power.others;
  const V total = row.classes - sum;
  const V value = -expm1(t.parameter * row.log_p) / total;
  const V scale = t.weight * t.parameter / total;
  g.value += t.weight * value;
  g.power[0] += scale * (power.label - value * sum) * row.sum_inv;
  g.power[t.power] += scale * value * power.unit;
  g.label -= scale * (power.label * row.miss * (1.0 - value) + value * power.others * row.p);
}

// ||p - a onehot||^2 / C, a the second parameter; the first, the power it sums, is 2
template <class V>
NOISYKERNELS_INLINE void amse(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V unit = row.sum_inv * row.sum_inv;
  const V others = row.others[t.power] * unit;
  const V rest = (t.second - 1.0) + row.miss;  // a - p_y
  const V scale = t.weight / row.classes;
  g.value += scale * (others + rest * rest);
  g.power[0] += 2.0 * scale * ((t.second - 1.0) * row.p + row.p * row.miss - others) * row.sum_inv;
  g.power[t.power] += 2.0 * scale * unit;
  g.label -= 2.0 * scale * row.p * (row.miss * rest + others);
}

// sum_k p_k^s
template <class V>
NOISYKERNELS_INLINE void power_sum(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const Powers<V> power(row, t);
  const V sum = power.label + power.others;
  const V scale = t.weight * t.parameter;
  g.value += t.weight * sum;
  g.power[0] -= scale * sum * row.sum_inv;
  g.power[t.power] += scale * power.unit;
  g.label += scale * (power.label * row.miss - power.others * row.p);
}

// -sum_k p_k log p_k
template <class V>
NOISYKERNELS_INLINE void entropy(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  // The mean of d_k; of a label that is impossible nothing is left, not 0 times infinity.
  const V of_label = row.p == 0.0 ? V{} : row.p * row.logit;
  const V mean = row.entropy * row.sum_inv + of_label;
  g.value += t.weight * (row.log_sum - mean);
  g.power[0] += t.weight * mean * row.sum_inv;
  g.entropy -= t.weight * row.sum_inv;
  g.label += t.weight * (row.p * mean - of_label);
}

// -log max_k p_k
template <class V>
NOISYKERNELS_INLINE void top_ce(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  g.value += t.weight * row.log_sum;
  g.power[0] += t.weight * row.sum_inv;
  g.top -= t.weight;
  g.label += t.weight * (row.top_is_label == 1.0 ? -row.miss : row.p);
}

// The lines of the table that are of this file: see table.h.
#define NOISYKERNELS_SOFTMAX_TERMS(X)          \
  X(sgce, kSoftmax | kPowerSum, true)          \
  X(alpha_mae, kPowerSum, true)                \
  X(smoothing, kSoftmax | kWeightedSum, false) \
  X(nce, kSoftmax | kLinearSum, true)          \
  X(ngce, kSoftmax | kPowerSum, true)          \
  X(amse, kSoftmax | kPowerSum, true)          \
  X(power_sum, kSoftmax | kPowerSum, true)     \
  X(entropy, kSoftmax | kEntropySum, true)     \
  X(top_ce, kSoftmax | kTop, true)

}  // namespace
}  // namespace noisykernels
