// What few losses need of a row: the entropy, a vector over the classes, functions of each class's
// probability, the class with the largest logit. Plain loops over the classes, one visit for the
// maximum, one for the sums around it, one for elementwise functions. All losses of bounded scores
// take these loops too, after one visit more for a row's length.
#pragma once

#include "scores.h"

namespace noisykernels {
namespace {

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
  // One half is what has been published.
  return element.gamma == 0.5 ? sqrt(miss) : Power(element.power).of_difference(log(miss));
}

// The first class with the largest logit, or the first that is NaN.
template <class Storage, class Scalar>
DEVICE int find_top(const RowMemory<Storage>& row, Crew& crew, Scalar top) {
  // The earlier the larger, and the largest logit before NaN.
  int found = 0;
  for (int k = crew.rank(); k < row.classes; k += crew.width()) {
    const Scalar x = widen(row.x[k * row.stride]);
    const int early = row.classes - k;
    const int place = x == top ? row.classes + early : x != x ? early : 0;
    if (place > found) found = place;
  }
  found = crew.max(found);
  return found == 0 ? 0 : found > row.classes ? 2 * row.classes - found : row.classes - found;
}

// The largest logit of a row; NaN loses.
template <class Storage>
DEVICE ScalarOf<Storage> row_maximum(const RowMemory<Storage>& row, Crew& crew) {
  ScalarOf<Storage> top = -INFINITY;
  for (int k = crew.rank(); k < row.classes; k += crew.width())
    top = fmax(top, widen(row.x[k * row.stride]));
  return crew.max(top);
}

// All sums of a row, by a crew; the results in every thread, `moments` of bounded scores alone.
// Sums are double: rows are of any length here, and each thread adds one number at a time. A row
// without a label to read has no classes either: its crew only meets as often as others do.
template <bool scores, class Storage, class Scalar>
DEVICE void visit_further(const RowMemory<Storage>& row, int label, const Plan& plan,
                          const Scalar* class_weight, const Scalar* vector, Crew crew,
                          Sums<Scalar>& s, FurtherSums& f, Moments<double>& moments) {
  using Power = typename DifferencePowerOf<Scalar>::Type;
  const PowerTable<Power, kMaxPowers> power(plan);
  const Scalar x_y = label < 0 ? Scalar(0) : widen(row.x[label * row.stride]);
  const Scalar top = plan.powers ? row_maximum(row, crew) : x_y;
  Moments<double> m{};
  Ratio<Scalar> ratio;
  if constexpr (scores) {
    const double all = squared_length(row, crew);
    const Rescaling rescaling = make_rescaling(plan, all);
    m.ratio = rescaling.ratio;
    m.shrink = rescaling.shrink;
    m.square = m.ratio * m.ratio * (all - double(x_y) * double(x_y));
    ratio = Ratio<Scalar>(rescaling.ratio);
  }
  const auto difference = [&](Scalar x) { return scores ? ratio.times(x - top) : x - top; };
  double linear = 0, square = 0, weighted = 0, class_weights = 0;
  f = {};
  for (int k = crew.rank(); k < row.classes; k += crew.width()) {
    const Scalar x = widen(row.x[k * row.stride]), d = difference(x);
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
    const Scalar e = power.at[0].of_difference(d);
#pragma unroll
    for (int i = 1; i < kMaxPowers; ++i) {
      if (i < plan.powers) f.others[i] += power.at[i].of_difference(d);
    }
    if (d == 0) {
      f.ties += 1;
    } else {
      f.tail += e;
    }
    if (e != 0) f.entropy += e * d;  // not 0 times -inf
    f.vector_power += v * e;
    f.vector_rest += (1 - v) * e;
  }
  static_assert(kMaxPowers == 3);
  crew.sum(linear, square, weighted, class_weights, f.tail, f.ties, f.others[1], f.others[2],
           f.entropy, f.vector_power, f.vector_rest, f.vector, f.vector_sum);
  if constexpr (scores) sum_moments(row, label, plan, class_weight, vector, top, ratio, crew, m);
  s.top = top;
  s.linear = linear;
  s.square = square;
  s.weighted = weighted;
  s.class_weights = class_weights;
  s.count = row.classes - 1;
  f.top_class = plan.top ? find_top(row, crew, top) : 0;
  // One of the classes with the largest logit brings the one: the label, or another.
  const double logit = (scores ? m.ratio : 1) * (double(x_y) - double(top)), e_y = exp(logit);
  const bool tied = logit == 0;
  f.others[0] = f.tail + f.ties;
  f.excess = f.tail + (f.ties + tied - 1) + (tied ? 0 : e_y);
  f.log_sum = log1p(f.excess);
  f.top_miss = f.excess / (1 + f.excess);
  const RowSoftmax<Scalar> softmax{Scalar(f.log_sum), Scalar(f.top_miss)};
#pragma unroll
  for (int i = 0; i < kMaxElements; ++i) {
    if (i >= plan.elements) break;
    const Element& element = plan.element[i];
    for (int k = crew.rank(); k < row.classes; k += crew.width()) {
      const Scalar x = widen(row.x[k * row.stride]), d = difference(x), log_p = d - softmax.log_sum;
      const Scalar value = element_factor(element, plan.exponent[0], d, log_p, softmax);
      // Not where the value is zero: of a class that is certain the offset is left.
      if (k == label || !(log_p >= Scalar(element.floor))) continue;
      f.gap[i] += Scalar(element.offset) + value * log_p;
      f.factor[i] += value;
      if constexpr (scores) m.element[i] += value * ratio.times(x);
    }
  }
  static_assert(kMaxElements == 2);
  if (plan.elements) {
    crew.sum(f.gap[0], f.factor[0], f.gap[1], f.factor[1]);
    if constexpr (scores) crew.sum(m.element[0], m.element[1]);
  }
  if constexpr (scores) {
    m.top = plan.top && f.top_class != label ? m.ratio * double(top) : 0;
    moments = m;
  }
}

}  // namespace
}  // namespace noisykernels
