// What a term is given and what it returns. Terms are host and device code, written over the number
// type V: a SIMD vector on the CPU, double or a float on a GPU. `noisykernels/terms` has the
// formulas.
//
// Internal linkage throughout: each SIMD level compiles these for itself, and the linker must not
// mix them.
#pragma once

#include "../arguments.h"

#ifdef __CUDACC__
#define NOISYKERNELS_INLINE __host__ __device__ __forceinline__
#else
#define NOISYKERNELS_INLINE inline __attribute__((always_inline))
#endif

namespace noisykernels {
namespace {

// What a term needs of the row.
enum Need : int {
  kSoftmax = 1,    // log p_y, p_y: exponent 1 in power 0
  kPowerSum = 2,   // the sum of exp(q d_k), q its first parameter
  kLinearSum = 4,  // the sum of d_k
  kSquareSum = 8,
  kWeightedSum = 16,      // the sum of w_k d_k
  kEntropySum = 32,       // the sum of exp(d_k) d_k
  kTop = 64,              // the class with the largest logit
  kVectorSum = 128,       // the sum of v_k d_k
  kVectorPowerSum = 256,  // the sum of v_k exp(d_k)
  kElementSum = 512,      // of the elementwise function of its two parameters
  kBySample = 1024,       // v is the row's own, not its label's
};

// Statistics of a row with the label kept apart: no difference of nearly equal numbers is left to
// take. d_k = x_k - shift; of what the plan does not ask for nothing is known.
template <class V>
struct Row {
  V classes;
  V logit;               // d_y
  V others[kMaxPowers];  // sum over k != y of exp(q_i d_k)
  V linear;              // sum of d_k
  V square;              // sum of x_k^2
  V weighted;            // sum of w_k d_k
  V class_weights;       // sum of w_k
  V label_weight;        // w_y
  V label_value;         // x_y

  V entropy;       // sum over k != y of exp(d_k) d_k
  V top_is_label;  // 1 where it is
  V vector_label;  // v_y
  V vector_power;  // sum over k != y of v_k exp(d_k)
  V vector_rest;   // sum over k != y of (1 - v_k) exp(d_k)
  V vector;        // sum of v_k d_k
  V vector_sum;    // sum of v_k

  // Sums over k != y of offset + f(p_k) log p_k and of f(p_k), f an elementwise function, where
  // log p_k is not below its floor.
  V element_gap[kMaxElements];
  V element_factor[kMaxElements];

  // Of the softmax, where the plan has it.
  V log_sum;  // log of l = sum of exp(d_k)
  V sum_inv;  // 1 / l
  V log_p;    // log p_y
  V p;        // p_y
  V miss;     // 1 - p_y
};

// A term's value, and the coefficients of its row gradient as `columns` in noisykernels/terms/
// sums.py has them.
template <class V>
struct Gradient {
  V value, label, power[kMaxPowers], entropy, vector_power, linear, constant, class_weight, vector,
      top, element[kMaxElements];

  // One by one: what clears the whole at once is slower.
  NOISYKERNELS_INLINE Gradient() {
    value = label = entropy = vector_power = linear = constant = class_weight = vector = top = V{};
    for (V& v : power) v = V{};
    for (V& v : element) v = V{};
  }
};

// A term of the sum: its weight times the row's, its parameters, and where it finds its sums.
template <class V>
struct Weighted {
  V weight;
  V parameter;
  V second;
  int power;
  int element;
};

// The softmax from e_y = exp(d_y), the sum of the other exponentials, and `excess`, all but one of
// the sum: l - 1.
template <class V>
NOISYKERNELS_INLINE void complete_softmax(Row<V>& row, V e_y, V excess) {
  const V s = row.others[0];
  // One log1p serves both ends: log p_y = -log1p(s/e_y) for a leading label, else (x_y - m) - log
  // l.
  const auto leads = e_y >= s;
  const V log1 = log1p(leads ? s / e_y : excess);
  row.log_p = leads ? -log1 : row.logit - log1;
  row.log_sum = leads ? row.logit + log1 : log1;
  row.sum_inv = 1.0 / (s + e_y);
  row.p = e_y * row.sum_inv;
  row.miss = s * row.sum_inv;
}

}  // namespace
}  // namespace noisykernels
