// Bounded scores: the loss of u = r x instead of the logits x, where r makes the length of u. Once
// the gradient with respect to u is known, so is that with respect to x: the backward still knows
// no loss.
#pragma once

#include "row.h"

namespace noisykernels {
namespace {

// What becomes of a row. In double: where classes are certain an error of r counts a hundredfold.
struct Rescaling {
  double ratio;   // r
  double shrink;  // 1 / ||u||^2 where a step along the row does not change u, else zero
};

// From the sum of x_k^2. Zeros stay zeros; where it is not finite the row is NaN.
NOISYKERNELS_INLINE Rescaling make_rescaling(const Plan& plan, double square) {
  const double length = plan.length;
  if (!(square - square == 0)) return {__builtin_nan(""), 0};
  const bool grow = plan.scores == Scores::kNormalized;
  if (square == 0) return {grow ? 0.0 : 1.0, 0};
  const double norm = __builtin_sqrt(square);
  if (!grow && norm <= length) return {1, 0};
  return {length / norm, 1 / (length * length)};
}

// What the gradient's way back to the logits needs of a row of scores: its rescaling, and sums over
// k != y of the scores u_k times what the coefficients of the gradient multiply.
template <class V>
struct Moments {
  V ratio;
  V shrink;
  V power[kMaxPowers];      // of exp(q_i d_k) u_k
  V entropy;                // of exp(d_k) d_k u_k
  V vector_power;           // of v_k exp(d_k) u_k
  V square;                 // of u_k u_k
  V linear;                 // of u_k
  V weighted;               // of w_k u_k
  V vector;                 // of v_k u_k
  V element[kMaxElements];  // of f_k u_k
  V top;                    // u_k of the class with the largest logit, zero where that is the label
};

// The product of the gradient with respect to u with u.
template <class V>
NOISYKERNELS_INLINE V along_row(const Row<V>& row, const Moments<V>& m, const Gradient<V>& g) {
  V sum = g.label * row.label_value + g.linear * m.square;
  sum += g.entropy * m.entropy + g.vector_power * m.vector_power;
  sum += g.constant * m.linear + g.class_weight * m.weighted + g.vector * m.vector;
  sum += g.top * m.top;
  for (int i = 0; i < kMaxPowers; ++i) sum += g.power[i] * m.power[i];
  for (int i = 0; i < kMaxElements; ++i) sum += g.element[i] * m.element[i];
  return sum;
}

// From the coefficients of the gradient g with respect to u to those with respect to x,
//
//     dx = r (g - u (g u) / ||u||^2),
//
// which are linear in u too.
template <class V>
NOISYKERNELS_INLINE void pull_back(const Row<V>& row, const Moments<V>& m, Gradient<V>& g) {
  const V along = along_row(row, m, g) * m.shrink;
  g.linear -= along;
  g.label -= along * row.label_value;
  g.label *= m.ratio;
  g.entropy *= m.ratio;
  g.vector_power *= m.ratio;
  g.linear *= m.ratio;
  g.constant *= m.ratio;
  g.class_weight *= m.ratio;
  g.vector *= m.ratio;
  g.top *= m.ratio;
  for (int i = 0; i < kMaxPowers; ++i) g.power[i] *= m.ratio;
  for (int i = 0; i < kMaxElements; ++i) g.element[i] *= m.ratio;
}

}  // namespace
}  // namespace noisykernels
