// The one table of terms: name, needs, and whether the row's class weight w_y multiplies the term.
// The order gives the ids, the same as in `noisykernels/terms`.
#pragma once

#include "elementwise.h"
#include "logits.h"
#include "probability.h"
#include "softmax.h"
#include "vector.h"

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

#define NOISYKERNELS_TERMS(X)                          \
  X(ce, kSoftmax, true)                                \
  X(mae, kSoftmax, true)                               \
  X(gce, kSoftmax, true)                               \
  X(focal, kSoftmax, true)                             \
  X(truncated_gce, kSoftmax, true)                     \
  X(taylor_ce, kSoftmax, true)                         \
  X(agce, kSoftmax, true)                              \
  X(aul, kSoftmax, true)                               \
  X(ael, kSoftmax, true)                               \
  X(eps_softmax_ce, kSoftmax, true)                    \
  X(muh, kLinearSum, true)                             \
  X(square, kSquareSum, true)                          \
  X(centered_square, kLinearSum | kSquareSum, true)    \
  X(sgce, kSoftmax | kPowerSum, true)                  \
  X(alpha_mae, kPowerSum, true)                        \
  X(smoothing, kSoftmax | kWeightedSum, false)         \
  X(nce, kSoftmax | kLinearSum, true)                  \
  X(ngce, kSoftmax | kPowerSum, true)                  \
  X(amse, kSoftmax | kPowerSum, true)                  \
  X(power_sum, kSoftmax | kPowerSum, true)             \
  X(entropy, kSoftmax | kEntropySum, true)             \
  X(top_ce, kSoftmax | kTop, true)                     \
  X(forward, kSoftmax | kVectorPowerSum, true)         \
  X(backward, kSoftmax | kVectorSum, true)             \
  X(elr, kSoftmax | kVectorPowerSum | kBySample, true) \
  X(nfl, kSoftmax | kElementSum, true)                 \
  X(nnfl, kSoftmax | kElementSum, true)

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

// Adds what one term of a sum brings. Of plans whose needs are all `available`: code for terms that
// need more is left out.
template <int available, class V>
NOISYKERNELS_INLINE void add_term(const PlannedTerm& term, const Row<V>& row, Gradient<V>& g) {
  Weighted<V> t{V{} + term.weight, V{} + term.parameter, V{} + term.second, term.power,
                term.element};
  switch (term.id) {
#define X(name, needs, weighted)                  \
  case k_##name:                                  \
    if constexpr (((needs) & ~available) == 0) {  \
      if (weighted) t.weight *= row.label_weight; \
      name(row, t, g);                            \
    }                                             \
    break;
    NOISYKERNELS_TERMS(X)
#undef X
  }
}

template <class V>
NOISYKERNELS_INLINE Gradient<V> evaluate(const Plan& plan, const Row<V>& row) {
  Gradient<V> g;
  for (int i = 0; i < plan.terms; ++i) add_term<~0>(plan.term[i], row, g);
  return g;
}

}  // namespace
}  // namespace noisykernels
