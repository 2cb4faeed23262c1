// Bounded scores u_k = r x_k: a row is rescaled as it is read, in the loops that few losses have of
// their own, and is a row like any other from there on.
#pragma once

#include "../terms/scores.h"
#include "rows.h"

namespace noisykernels {
namespace {

// r in two parts of the arithmetic's type: one alone would round all scores the same way.
template <class Scalar>
struct Ratio {
  Scalar high;
  Scalar rest;

  Ratio() = default;
  DEVICE explicit Ratio(double r) : high(Scalar(r)), rest(Scalar(r - double(high))) {}
  DEVICE Scalar times(Scalar x) const { return fma(x, high, x * rest); }
};

// The sum of x_k^2, in double: no square of a float overflows.
template <class Storage>
DEVICE double squared_length(const RowMemory<Storage>& row, Crew& crew) {
  double square = 0;
  for (int k = crew.rank(); k < row.classes; k += crew.width()) {
    const double x = widen(row.x[k * row.stride]);
    square += x * x;
  }
  crew.sum(square);
  return square;
}

// The sums with u_k, by a crew, but those of elementwise functions. A visit of their own: in one
// with the sums that all rows have a thread would need more registers than there are.
template <class Storage, class Scalar>
DEVICE void sum_moments(const RowMemory<Storage>& row, int label, const Plan& plan,
                        const Scalar* class_weight, const Scalar* vector, Scalar top,
                        Ratio<Scalar> ratio, Crew& crew, Moments<double>& m) {
  const PowerTable<typename DifferencePowerOf<Scalar>::Type, kMaxPowers> power(plan);
  for (int k = crew.rank(); k < row.classes; k += crew.width()) {
    if (k == label) continue;
    const Scalar x = widen(row.x[k * row.stride]);
    const Scalar u = ratio.times(x), d = ratio.times(x - top);
    const Scalar e = plan.powers ? power.at[0].of_difference(d) : Scalar(0);
    m.linear += u;
    if (class_weight) m.weighted += class_weight[k] * u;
    m.power[0] += e * u;
#pragma unroll
    for (int i = 1; i < kMaxPowers; ++i) {
      if (i < plan.powers) m.power[i] += power.at[i].of_difference(d) * u;
    }
    m.entropy += e * d * u;
    if (vector) {
      m.vector += vector[k] * u;
      m.vector_power += vector[k] * e * u;
    }
  }
  static_assert(kMaxPowers == 3);
  crew.sum(m.linear, m.weighted, m.power[0], m.power[1], m.power[2], m.entropy, m.vector,
           m.vector_power);
  if (!class_weight) m.weighted = m.linear;  // w_k = 1
}

}  // namespace
}  // namespace noisykernels
