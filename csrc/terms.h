// Every term once: its value and its row gradient from the statistics of a row. Host and device
// code, written over the number type V: a SIMD vector on the CPU, double or a float on a GPU.
// `noisykernels/terms.py` has the formulas.
//
// Internal linkage throughout: each SIMD level compiles these for itself, and the linker must not
// mix them.
#pragma once

#include "arguments.h"

#ifdef __CUDACC__
#define NOISYKERNELS_INLINE __host__ __device__ __forceinline__
#else
#define NOISYKERNELS_INLINE inline __attribute__((always_inline))
#endif

namespace noisykernels {
namespace {

// Statistics of a row with the label kept apart: no difference of nearly equal numbers is left to
// take.
template <class V>
struct Row {
  V classes;
  V logit;               // x_y - shift
  V others[kMaxPowers];  // sum over k != y of exp(q_i (x_k - shift))
  V linear;              // sum of x_k - shift
  V square;              // sum of x_k^2
  V weighted;            // sum of w_k (x_k - shift)
  V class_weights;       // sum of w_k
  V label_weight;        // w_y
  V label_value;         // x_y

  // Of the softmax, where the plan has it.
  V log_sum = {};  // log of l = sum of exp(x_k - shift)
  V sum_inv = {};  // 1 / l
  V log_p = {};    // log p_y
  V p = {};        // p_y
  V miss = {};     // 1 - p_y
};

// A term's value, and the coefficients of dz_k = sum_i power_i exp(q_i (x_k - shift)) + linear x_k
// + constant
// + class_weight w_k (k != y), dz_y = label.
template <class V>
struct Gradient {
  V value = {};
  V power[kMaxPowers] = {};
  V linear = {};
  V constant = {};
  V class_weight = {};
  V label = {};
};

template <class V>
NOISYKERNELS_INLINE void complete_softmax(Row<V>& row) {
  const V e_y = exp(row.logit);
  const V s = row.others[0];
  const V l = s + e_y;
  // One log1p serves both ends: log p_y = -log1p(s/e_y) for a leading label, else (x_y - m) - log
  // l.
  const auto leads = e_y >= s;
  const V log1 = log1p(leads ? s / e_y : l - 1.0);
  row.log_p = leads ? -log1 : row.logit - log1;
  row.log_sum = leads ? row.logit + log1 : log1;
  row.sum_inv = 1.0 / l;
  row.p = e_y * row.sum_inv;
  row.miss = s * row.sum_inv;
}

// In what follows `w` is the term's weight times the row's, `q` its parameter and `i` the index of
// its power.

// -log p_y
template <class V>
NOISYKERNELS_INLINE void ce(const Row<V>& row, V w, V, int, Gradient<V>& g) {
  g.value -= w * row.log_p;
  g.power[0] += w * row.sum_inv;
  g.label -= w * row.miss;
}

// 1 - p_y
template <class V>
NOISYKERNELS_INLINE void mae(const Row<V>& row, V w, V, int, Gradient<V>& g) {
  g.value += w * row.miss;
  g.power[0] += w * row.p * row.sum_inv;
  g.label -= w * row.p * row.miss;
}

// (1 - p_y^q) / q
template <class V>
NOISYKERNELS_INLINE void gce(const Row<V>& row, V w, V q, int, Gradient<V>& g) {
  const V q_log_p = q * row.log_p;
  const V p_q = exp(q_log_p);
  g.value -= w * expm1(q_log_p) / q;
  g.power[0] += w * p_q * row.sum_inv;
  g.label -= w * p_q * row.miss;
}

// mean(z) - z_y
template <class V>
NOISYKERNELS_INLINE void muh(const Row<V>& row, V w, V, int, Gradient<V>& g) {
  g.value += w * (row.linear / row.classes - row.logit);
  g.constant += w / row.classes;
  g.label += w * (1.0 / row.classes - 1.0);
}

// (mean_k p_k^q - p_y^q) / q
template <class V>
NOISYKERNELS_INLINE void sgce(const Row<V>& row, V w, V q, int i, Gradient<V>& g) {
  const V p_q = exp(q * row.log_p);
  const V l_q = exp(-q * row.log_sum);
  const V others = row.others[i] * l_q;  // O_q
  const V share = 1.0 / row.classes;
  g.value += w * (others - (row.classes - 1.0) * p_q) * share / q;
  g.power[0] += w * (p_q - (p_q + others) * share) * row.sum_inv;
  g.power[i] += w * share * l_q;
  g.label -= w * (p_q * row.miss * (1.0 - share) + others * row.p * share);
}

// (1 - softmax(alpha z)_y) / alpha
template <class V>
NOISYKERNELS_INLINE void alpha_mae(const Row<V>& row, V w, V alpha, int i, Gradient<V>& g) {
  const V e_y = exp(alpha * row.logit);
  const V sum_inv = 1.0 / (row.others[i] + e_y);
  const V s = e_y * sum_inv;
  const V miss = row.others[i] * sum_inv;
  g.value += w * miss / alpha;
  g.power[i] += w * s * sum_inv;
  g.label -= w * s * miss;
}

// -(1/C) sum_k w_k log p_k
template <class V>
NOISYKERNELS_INLINE void smoothing(const Row<V>& row, V w, V, int, Gradient<V>& g) {
  const V share = w / row.classes;
  g.value += share * (row.class_weights * row.log_sum - row.weighted);
  g.power[0] += share * row.class_weights * row.sum_inv;
  g.class_weight -= share;
  g.label += share * (row.class_weights * row.p - row.label_weight);
}

// ||z||^2
template <class V>
NOISYKERNELS_INLINE void square(const Row<V>& row, V w, V, int, Gradient<V>& g) {
  g.value += w * row.square;
  g.linear += w * 2.0;
  g.label += w * 2.0 * row.label_value;
}

// What a term needs of the row.
enum Need : int {
  kSoftmax = 1,   // log p_y, p_y: exponent 1 in power 0
  kPowerSum = 2,  // the sum of exp(q (x_k - m)), q its parameter
  kLinearSum = 4,
  kSquareSum = 8,
  kWeightedSum = 16,
};

// The one table: name, needs, and whether the row's class weight w_y multiplies the term. The order
// gives the ids.
#define NOISYKERNELS_TERMS(X)                  \
  X(ce, kSoftmax, true)                        \
  X(mae, kSoftmax, true)                       \
  X(gce, kSoftmax, true)                       \
  X(muh, kLinearSum, true)                     \
  X(sgce, kSoftmax | kPowerSum, true)          \
  X(alpha_mae, kPowerSum, true)                \
  X(smoothing, kSoftmax | kWeightedSum, false) \
  X(square, kSquareSum, true)

enum TermId : int {
#define X(name, needs, weighted) k_##name,
  NOISYKERNELS_TERMS(X)
#undef X
      kTerms
};

constexpr int kNeeds[] = {
#define X(name, needs, weighted) needs,
    NOISYKERNELS_TERMS(X)
#undef X
};

template <class V>
NOISYKERNELS_INLINE Gradient<V> evaluate(const Plan& plan, const Row<V>& row) {
  Gradient<V> g;
  for (int t = 0; t < plan.terms; ++t) {
    const V parameter = V{} + plan.parameter[t];
    const V weight = V{} + plan.weight[t];
    switch (plan.term[t]) {
#define X(name, needs, weighted)                                                           \
  case k_##name:                                                                           \
    name(row, weighted ? weight * row.label_weight : weight, parameter, plan.power[t], g); \
    break;
      NOISYKERNELS_TERMS(X)
#undef X
    }
  }
  return g;
}

}  // namespace
}  // namespace noisykernels
