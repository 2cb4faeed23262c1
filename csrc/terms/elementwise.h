// Terms with a function f(p_k) = (1 - p_k)^gamma of each class's probability, zero below a floor of
// log p_k. In the gradient f counts as constant.
#pragma once

#include "probability.h"

namespace noisykernels {
namespace {

// `label` is the label's part of a total that the others complete; the value is the label's share
// or, where `negative`, that of the others.
template <class V>
NOISYKERNELS_INLINE void normalized(const Row<V>& row, const Weighted<V>& t, V label, V factor,
                                    V others, bool negative, Gradient<V>& g) {
  const V total = label + others, share = label / total, scale = t.weight / total;
  // A masked class makes the total infinite, and its part all of it.
  const V rest = others == __builtin_inf() ? V{} + 1.0 : others / total;
  const V factors = row.element_factor[t.element];
  g.value += t.weight * (negative ? rest : share);
  g.power[0] += scale * (factor * rest - share * factors) * row.sum_inv;
  g.element[t.element] += scale * share;
  g.label -= scale * (factor * row.miss * rest + share * row.p * factors);
}

// f_y log p_y / sum_k f_k log p_k
template <class V>
NOISYKERNELS_INLINE void nfl(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V factor = power_of_miss(row, t.parameter);
  normalized(row, t, -factor * row.log_p, factor, -row.element_gap[t.element], false, g);
}

// 1 - a_y / sum_k a_k with a_k = offset + f_k log p_k down to the floor, where it is zero
template <class V>
NOISYKERNELS_INLINE void nnfl(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V power = power_of_miss(row, t.parameter);
  const V p_min = exp(t.second);
  const V at_floor = t.parameter == 0.0 ? V{} + 1.0 : exp(t.parameter * log(1.0 - p_min));
  const auto above = row.log_p >= t.second;
  const V factor = above ? power : V{};
  const V gap = above ? power * row.log_p - at_floor * t.second : V{};
  normalized(row, t, gap, factor, row.element_gap[t.element], true, g);
}

// The lines of the table that are of this file: see table.h.
#define NOISYKERNELS_ELEMENTWISE_TERMS(X) \
  X(nfl, kSoftmax | kElementSum, true)    \
  X(nnfl, kSoftmax | kElementSum, true)

}  // namespace
}  // namespace noisykernels
