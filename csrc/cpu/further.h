// The O(C) work that few losses need, vector by vector: the entropy, a vector over the classes,
// functions of each class's probability, the class with the largest logit.
#pragma once

#include "math.h"

namespace noisykernels {
namespace {

// Sums over the classes that are not the label; e is exp(d), d = x_k - shift.
struct FurtherSums {
  double tail = 0;          // of e where d < 0
  double ties = 0;          // of 1 where d = 0
  double entropy = 0;       // of e d
  double vector_power = 0;  // of v_k e
  double vector_rest = 0;   // of (1 - v_k) e

  // Of bounded scores, see terms/scores.h.
  double moment[kMaxPowers] = {};  // of exp(q_i d) u_k
  double entropy_moment = 0;       // of e d u_k
  double vector_power_moment = 0;  // of v_k e u_k
};

// The same, of a part of a row.
template <class Vector>
struct FurtherPart {
  Vector tail = {}, ties = {}, entropy = {}, vector_power = {}, vector_rest = {};
  Vector entropy_moment = {}, vector_power_moment = {};

  // `e` is zero where the class does not count.
  template <bool scores, class Mask>
  INLINE void add(Vector d, Vector e, Vector v, Vector u, Mask counts, const Plan& plan) {
    if (plan.apart) {
      const Mask tie = counts & (d == Vector{});
      tail += keep(~tie, e);
      ties += keep(tie, Vector{} + 1);
    }
    if (plan.entropy) entropy += keep(e != Vector{}, e * d);  // not 0 times -inf
    if (plan.vector_power) {
      vector_power += v * e;
      vector_rest += (1 - v) * e;
    }
    if (scores && plan.entropy) entropy_moment += e * d * u;
    if (scores && plan.vector_power) vector_power_moment += v * e * u;
  }

  INLINE void move_to(FurtherSums& sums, const Plan& plan) const {
    if (plan.apart) {
      sums.tail += reduce_sum(tail);
      sums.ties += reduce_sum(ties);
    }
    if (plan.entropy) {
      sums.entropy += reduce_sum(entropy);
      sums.entropy_moment += reduce_sum(entropy_moment);
    }
    if (plan.vector_power) {
      sums.vector_power += reduce_sum(vector_power);
      sums.vector_rest += reduce_sum(vector_rest);
      sums.vector_power_moment += reduce_sum(vector_power_moment);
    }
  }
};

// What an elementwise function needs of the row's softmax.
template <class Scalar>
struct RowSoftmax {
  Scalar log_sum;
  Scalar top_miss;  // 1 - p of the largest class, exact where p rounds to one
};

// The elementwise functions of a plan, made ready.
template <class Scalar>
struct Elements {
  using Power = typename ExponentOf<Scalar>::Type;
  Power probability;
  Power power[kMaxElements];
  explicit INLINE Elements(const Plan& plan) {
    if (plan.elements) probability = Power(plan.exponent[0]);
    for (int i = 0; i < plan.elements; ++i) power[i] = Power(plan.element[i].power);
  }
};

// Calls f(i, f_k, mask of the classes whose log p_k is not below the floor) for each elementwise
// function, f_k = (1 - p_k)^gamma. Those with one gamma share the power, which is most of the cost.
template <class Scalar, class Vector, class F>
INLINE void for_each_element(const Plan& plan, const Elements<Scalar>& elements, Vector d,
                             const RowSoftmax<Scalar>& softmax, F f) {
  const Vector log_p = d - softmax.log_sum;
  Vector power = {};
  for (int i = 0; i < plan.elements; ++i) {
    const Element& element = plan.element[i];
    if (element.gamma == 0) {
      power = Vector{} + 1;
    } else if (i == 0 || element.gamma != plan.element[i - 1].gamma) {
      // A class that is not the largest has at most half of the probability.
      const Vector miss =
          d == Vector{} ? Vector{} + softmax.top_miss : 1 - elements.probability(log_p);
      // One half is what has been published.
      power = element.gamma == 0.5 ? sqrt(miss) : elements.power[i](log(miss));
    }
    f(i, power, log_p >= Vector{} + Scalar(element.floor));
  }
}

// The first class with the largest logit, or the first that is NaN.
template <class Storage, class Scalar>
INLINE int64_t find_top(const Storage* x, int64_t classes, Scalar largest) {
  for (int64_t k = 0; k < classes; ++k) {
    if (load_scalar(x + k) == largest) return k;
  }
  for (int64_t k = 0; k < classes; ++k) {
    const Scalar value = load_scalar(x + k);
    if (value != value) return k;
  }
  return 0;
}

}  // namespace
}  // namespace noisykernels
