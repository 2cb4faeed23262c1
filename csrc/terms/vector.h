// Terms with a vector v over the classes.
#pragma once

#include "row.h"

namespace noisykernels {
namespace {

// Sums over all classes, times l: of v_k p_k, and of (1 - v_k) p_k without the difference.
template <class V>
struct VectorPower {
  V e_y;
  V sum;
  V rest;
  V label;  // sum over k of (v_k - v_y) exp(d_k)

  NOISYKERNELS_INLINE explicit VectorPower(const Row<V>& row) {
    e_y = exp(row.logit);
    sum = row.vector_power + row.vector_label * e_y;
    rest = row.vector_rest + (1.0 - row.vector_label) * e_y;
    label = row.vector_power - row.vector_label * row.others[0];
  }
};

// -log sum_k v_k p_k
template <class V>
NOISYKERNELS_INLINE void forward(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const VectorPower<V> v(row);
  const V scale = t.weight / v.sum;
  g.value += t.weight * log1p(v.rest / v.sum);
  g.power[0] += t.weight * row.sum_inv;
  g.vector_power -= scale;
  g.label += scale * row.p * v.label;
}

// -sum_k v_k log p_k
template <class V>
NOISYKERNELS_INLINE void backward(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  g.value += t.weight * (row.vector_sum * row.log_sum - row.vector);
  g.power[0] += t.weight * row.vector_sum * row.sum_inv;
  g.vector -= t.weight;
  g.label += t.weight * (row.vector_sum * row.p - row.vector_label);
}

// log(1 - sum_k v_k p_k)
template <class V>
NOISYKERNELS_INLINE void elr(const Row<V>& row, const Weighted<V>& t, Gradient<V>& g) {
  const VectorPower<V> v(row);
  const V scale = t.weight / v.rest;
  g.value -= t.weight * log1p(v.sum / v.rest);
  g.power[0] += scale * v.sum * row.sum_inv;
  g.vector_power -= scale;
  g.label += scale * row.p * v.label;
}

// The lines of the table that are of this file: see table.h.
#define NOISYKERNELS_VECTOR_TERMS(X)           \
  X(forward, kSoftmax | kVectorPowerSum, true) \
  X(backward, kSoftmax | kVectorSum, true)     \
  X(elr, kSoftmax | kVectorPowerSum | kBySample, true)

}  // namespace
}  // namespace noisykernels
