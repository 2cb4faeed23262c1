// Terms of the logits themselves: no softmax, no exponential.
#pragma once

#include "row.h"

namespace noisykernels {
namespace {

// mean(z) - z_y
template <class V>
NOISYKERNELS_INLINE void muh(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  g.value += t.weight * (row.linear / row.classes - row.logit);
  g.constant += t.weight / row.classes;
  g.label += t.weight * (1.0 / row.classes - 1.0);
}

// ||z||^2
template <class V>
NOISYKERNELS_INLINE void square(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  g.value += t.weight * row.square;
  g.linear += t.weight * 2.0;
  g.label += t.weight * 2.0 * row.label_value;
}

// ||z - (onehot - 1/C)||^2 / 2 = muh + square / 2 + (1 - 1/C) / 2
template <class V>
NOISYKERNELS_INLINE void centered_square(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const V share = 1.0 / row.classes;
  // Where the square is infinite it is all there is, not one infinity less another.
  const auto finite = row.square - row.square == 0.0;
  const V unhinged = finite ? row.linear * share - row.logit : V{};
  g.value += t.weight * (unhinged + 0.5 * (row.square + 1.0 - share));
  g.linear += t.weight;
  g.constant += t.weight * share;
  g.label += t.weight * (row.label_value + share - 1.0);
}

// The lines of the table that are of this file: see table.h.
#define NOISYKERNELS_LOGITS_TERMS(X) \
  X(muh, kLinearSum, true)           \
  X(square, kSquareSum, true)        \
  X(centered_square, kLinearSum | kSquareSum, true)

}  // namespace
}  // namespace noisykernels
