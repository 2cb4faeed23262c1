// What few losses need of a row: the entropy, a vector over the classes, functions of each class's
// probability, the class with the largest logit. Plain loops over the classes, one visit for the
// maximum, one for the sums around it, one for elementwise functions.
#pragma once

#include "rows.h"

namespace noisykernels {
namespace {

// What these losses compute with instead of HalfPower: differences to the maximum come in anyway.
template <class Scalar>
struct DifferencePowerOf {
  using Type = FloatPower;
};
template <>
struct DifferencePowerOf<double> {
  using Type = DoublePower;
};

// Sums over the classes that are not the label, and what follows from them; e is exp(d),
// d = x_k - top.
struct FurtherSums {
  double tail;  // of e where d < 0
  double ties;  // of 1 where d = 0
  double others[kMaxPowers];
  double entropy;       // of e d
  double vector_power;  // of v_k e
  double vector_rest;   // of (1 - v_k) e
  double vector;        // of v_k d, over all classes
  double vector_sum;    // of v_k, over all classes
  double excess;        // l - 1
  double log_sum;
  double top_miss;              // 1 - p of the largest class, exact where p rounds to one
  double gap[kMaxElements];     // of offset + f_k log p_k
  double factor[kMaxElements];  // of f_k
  int top_class;
};

// What an elementwise function needs of the row's softmax.
template <class Scalar>
struct RowSoftmax {
  Scalar log_sum;
  Scalar top_miss;
};

// f_k = (1 - p_k)^gamma where log p_k is not below the floor, else zero.
template <class Scalar>
DEVICE Scalar element_factor(const Element& element, const Exponent& one, Scalar d, Scalar log_p,
                             const RowSoftmax<Scalar>& softmax) {
  using Power = typename DifferencePowerOf<Scalar>::Type;
  if (!(log_p >= Scalar(element.floor))) return 0;
  if (element.gamma == 0) return 1;
  // A class that is not the largest has at most half of the probability.
  const Scalar miss = d == 0 ? softmax.top_miss : 1 - Power(one).of_difference(log_p);
  return Power(element.power).of_difference(log(miss));
}

// The first class with the largest logit, or the first that is NaN.
template <class Storage, class Scalar>
DEVICE int find_top(const RowMemory<Storage>& row, Team team, Scalar top) {
  int found = row.classes, nan = row.classes;
  for (int k = row.classes - 1 - team.rank(); k >= 0; k -= team.width()) {
    const Scalar x = widen(row.x[k * row.stride]);
    if (x == top) found = k;
    if (x != x) nan = k;
  }
  const auto smaller = [](int a, int b) { return b < a ? b : a; };
  found = team.reduce(found, smaller);
  nan = team.reduce(nan, smaller);
  return found < row.classes ? found : nan < row.classes ? nan : 0;
}

// The largest logit of a row; NaN loses.
template <class Storage>
DEVICE ScalarOf<Storage> row_maximum(const RowMemory<Storage>& row, Team team) {
  ScalarOf<Storage> top = -INFINITY;
  for (int k = team.rank(); k < row.classes; k += team.width())
    top = fmax(top, widen(row.x[k * row.stride]));
  return team.max(top);
}

// All sums of a row, by a team; both results in every lane. Sums are double: rows are of any length
// here, and each lane adds one number at a time.
template <class Storage, class Scalar>
DEVICE void visit_further(const RowMemory<Storage>& row, int label, const Plan& plan,
                          const Scalar* class_weight, const Scalar* vector, Team team,
                          Sums<Scalar>& s, FurtherSums& f) {
  using Power = typename DifferencePowerOf<Scalar>::Type;
  const PowerTable<Power, kMaxPowers> power(plan);
  const Scalar x_y = widen(row.x[label * row.stride]);
  const Scalar top = plan.powers ? row_maximum(row, team) : x_y;
  double linear = 0, square = 0, weighted = 0, class_weights = 0;
  f = {};
  for (int k = team.rank(); k < row.classes; k += team.width()) {
    const Scalar x = widen(row.x[k * row.stride]), d = x - top;
    const Scalar v = vector ? vector[k] : Scalar(0);
    if (plan.vector && v != 0) f.vector += v * d;  // not 0 times -inf
    f.vector_sum += v;
    if (k == label) continue;
    linear += d;
    square += x * x;
    if (class_weight) {
      weighted += class_weight[k] * d;
      class_weights += class_weight[k];
    }
#pragma unroll
    for (int i = 0; i < kMaxPowers; ++i) {
      if (i < plan.powers) f.others[i] += power.at[i].of_difference(d);
    }
    const Scalar e = power.at[0].of_difference(d);
    if (d == 0) {
      f.ties += 1;
    } else {
      f.tail += e;
    }
    if (e != 0) f.entropy += e * d;  // not 0 times -inf
    f.vector_power += v * e;
    f.vector_rest += (1 - v) * e;
  }
  s.top = top;
  s.linear = team.sum(linear);
  s.square = team.sum(square);
  s.weighted = team.sum(weighted);
  s.class_weights = team.sum(class_weights);
  s.count = row.classes - 1;
  f.tail = team.sum(f.tail);
  f.ties = team.sum(f.ties);
#pragma unroll
  for (int i = 0; i < kMaxPowers; ++i) f.others[i] = team.sum(f.others[i]);
  f.entropy = team.sum(f.entropy);
  f.vector_power = team.sum(f.vector_power);
  f.vector_rest = team.sum(f.vector_rest);
  f.vector = team.sum(f.vector);
  f.vector_sum = team.sum(f.vector_sum);
  f.top_class = plan.top ? find_top(row, team, top) : 0;
  // One of the classes with the largest logit brings the one: the label, or another.
  const double logit = double(x_y) - double(top), e_y = exp(logit);
  const bool tied = logit == 0;
  if (plan.apart) {
    f.others[0] = f.tail + f.ties;
    f.excess = f.tail + (f.ties + tied - 1) + (tied ? 0 : e_y);
  } else {
    f.excess = f.others[0] + e_y - 1;
  }
  f.log_sum = log1p(f.excess);
  f.top_miss = f.excess / (1 + f.excess);
  const RowSoftmax<Scalar> softmax{Scalar(f.log_sum), Scalar(f.top_miss)};
#pragma unroll
  for (int i = 0; i < kMaxElements; ++i) {
    if (i >= plan.elements) break;
    const Element& element = plan.element[i];
    double gap = 0, factor = 0;
    for (int k = team.rank(); k < row.classes; k += team.width()) {
      const Scalar d = widen(row.x[k * row.stride]) - top, log_p = d - softmax.log_sum;
      const Scalar value = element_factor(element, plan.exponent[0], d, log_p, softmax);
      // Not where the value is zero: of a class that is certain the offset is left.
      if (k == label || !(log_p >= Scalar(element.floor))) continue;
      gap += Scalar(element.offset) + value * log_p;
      factor += value;
    }
    f.gap[i] = team.sum(gap);
    f.factor[i] = team.sum(factor);
  }
}

}  // namespace
}  // namespace noisykernels
