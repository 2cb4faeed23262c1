// The one table of terms: name, needs, and whether the row's class weight w_y multiplies the term.
// Each kind has its lines in its own file. The order gives the ids, the same as in
// `noisykernels/terms`.
#pragma once

#include "elementwise.h"
#include "logits.h"
#include "probability.h"
#include "softmax.h"
#include "vector.h"

namespace noisykernels {
namespace {

#define NOISYKERNELS_TERMS(X)       \
  NOISYKERNELS_PROBABILITY_TERMS(X) \
  NOISYKERNELS_LOGITS_TERMS(X)      \
  NOISYKERNELS_SOFTMAX_TERMS(X)     \
  NOISYKERNELS_VECTOR_TERMS(X)      \
  NOISYKERNELS_ELEMENTWISE_TERMS(X)

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
