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

// The elementwise functions (1 - p)^gamma of a plan, made ready: what loops read is here, in
// registers, and not in the plan, which for all that the compiler knows a store could change.
template <class Scalar>
struct Elements {
  // Most exponents that have been published are 0 and one half. Functions of one exponent share
  // the power, which is most of their cost.
  enum Kind { kOne, kSquareRoot, kPower, kAsBefore };
  ExponentAs<Scalar, true> exponential;
  int count;
  Kind kind[kMaxElements];
  Scalar floor[kMaxElements];
  Scalar offset[kMaxElements];
  ExponentAs<Scalar> power[kMaxElements];

  explicit INLINE Elements(const Plan& plan) : count(plan.elements) {
    if (count) exponential.prepare(plan.exponent[0]);
    for (int i = 0; i < count; ++i) {
      const Element& element = plan.element[i];
      kind[i] = i > 0 && element.gamma == plan.element[i - 1].gamma ? kAsBefore
                : element.gamma == 0                                ? kOne
                : element.gamma == 0.5                              ? kSquareRoot
                                                                    : kPower;
      floor[i] = Scalar(element.floor);
      offset[i] = Scalar(element.offset);
      power[i].prepare(element.power);
    }
  }
};

// Calls f(i, f_k, log p_k, mask of the classes where that is not below the floor) for each
// elementwise function; e is exp(d).
template <class Scalar, class Vector, class F>
INLINE void for_each_element(const Elements<Scalar>& elements, Vector d, Vector e,
                             const RowSoftmax<Scalar>& softmax, F f) {
  const Vector log_p = d - softmax.log_sum;
  // p is e times that of the largest class. No digits are lost: only one class has more than half.
  const Vector miss = (1 - e) + e * softmax.top_miss;
  Vector power = {};
  for (int i = 0; i < elements.count; ++i) {
    switch (elements.kind[i]) {
      case Elements<Scalar>::kOne:
        power = Vector{} + 1;
        break;
      case Elements<Scalar>::kSquareRoot:
        power = sqrt(miss);
        break;
      case Elements<Scalar>::kPower:
        power = elements.power[i](log(miss));
        break;
      case Elements<Scalar>::kAsBefore:
        break;
    }
    f(i, power, log_p, log_p >= Vector{} + elements.floor[i]);
  }
}

}  // namespace
}  // namespace noisykernels
