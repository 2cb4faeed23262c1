// The O(C) work on one row: its statistics, forward, and its gradient, backward. No loss is known
// here.
#pragma once

#include "math.h"

namespace noisykernels {
namespace {

// Vectors summed in float before a partial sum moves on to double. Equal numbers round the same way
// every time: a sum of n drifts by up to n 2^-25, which must stay below 1e-6.
constexpr int64_t kFlush = 32;

template <class Storage>
INLINE auto row_maximum(const Storage* x, int64_t classes) {
  using A = Arithmetic<Storage>;
  using Vector = typename A::Vector;
  constexpr int lanes = kLanes<Storage>;
  const Vector lowest = Vector{} - typename A::Scalar(__builtin_inf());
  Vector m = lowest;
  int64_t k = 0;
  if (classes >= 4 * lanes) {  // independent chains hide the latency of the comparison
    Vector chain[4] = {lowest, lowest, lowest, lowest};
    for (; k + 4 * lanes <= classes; k += 4 * lanes) {
      for (int i = 0; i < 4; ++i) chain[i] = maximum(chain[i], load(x + k + i * lanes));
    }
    m = maximum(maximum(chain[0], chain[1]), maximum(chain[2], chain[3]));
  }
  for (; k + lanes <= classes; k += lanes) m = maximum(m, load(x + k));
  if (k < classes) {
    const int rest = int(classes - k);
    m = maximum(m, iota<typename A::Mask>() < rest ? load(x + k, rest) : lowest);
  }
  return reduce_maximum(m);
}

// Calls visit(vector, class index of its first lane, mask of its lanes) over a row; the mask is all
// set but at the end.
template <class Storage, class Visit>
INLINE void for_each_vector(const Storage* x, int64_t begin, int64_t end, Visit visit) {
  using Mask = typename Arithmetic<Storage>::Mask;
  constexpr int lanes = kLanes<Storage>;
  int64_t k = begin;
  for (; k + lanes <= end; k += lanes) visit(load(x + k), k, Mask{} - 1);
  if (k < end) {
    const int rest = int(end - k);
    visit(load(x + k, rest), k, iota<Mask>() < rest);
  }
}

// sums[i] = sum over k != label of exp(q_i (x_k - shift))
template <int powers, class Storage, class Scalar>
INLINE void sum_powers(const Storage* x, int64_t classes, int64_t label, Scalar shift,
                       const Plan& plan, double* sums) {
  using A = Arithmetic<Storage>;
  using Vector = typename A::Vector;
  using Mask = typename A::Mask;
  using Power = typename ExponentOf<Scalar>::Type;
  const Mask lane = iota<Mask>();
  for (int i = 0; i < powers; ++i) sums[i] = 0;
  for (int64_t begin = 0; begin < classes; begin += kFlush * kLanes<Storage>) {
    const int64_t rest = classes - begin;
    const int64_t end = begin + (rest < kFlush * kLanes<Storage> ? rest : kFlush * kLanes<Storage>);
    Vector partial[powers] = {};
    for_each_vector(x, begin, end, [&](Vector v, int64_t k, Mask inside) {
      const Mask others = inside & (lane != typename A::Integer(label - k));
      for (int i = 0; i < powers; ++i) {
        partial[i] += keep(others, Power(plan.exponent[i])(v - shift));
      }
    });
    for (int i = 0; i < powers; ++i) sums[i] += reduce_sum(partial[i]);
  }
}

struct PolynomialSums {
  double linear = 0;    // sum of x_k - shift
  double square = 0;    // sum of x_k^2
  double weighted = 0;  // sum of w_k (x_k - shift)
};

template <class Storage, class Scalar>
INLINE PolynomialSums sum_polynomials(const Storage* x, int64_t classes, Scalar shift,
                                      const Plan& plan, const Scalar* class_weight) {
  using Vector = typename Arithmetic<Storage>::Vector;
  using Mask = typename Arithmetic<Storage>::Mask;
  PolynomialSums sums;
  for (int64_t begin = 0; begin < classes; begin += kFlush * kLanes<Storage>) {
    const int64_t rest = classes - begin;
    const int64_t end = begin + (rest < kFlush * kLanes<Storage> ? rest : kFlush * kLanes<Storage>);
    Vector linear = {}, square = {}, weighted = {};
    if (plan.linear) {
      for_each_vector(x, begin, end,
                      [&](Vector v, int64_t, Mask inside) { linear += keep(inside, v - shift); });
    }
    if (plan.square) {
      for_each_vector(x, begin, end, [&](Vector v, int64_t, Mask) { square += v * v; });
    }
    if (plan.weighted) {
      for_each_vector(class_weight, begin, end, [&](Vector w, int64_t k, Mask inside) {
        const Vector v = k + kLanes<Storage> <= end ? load(x + k) : load(x + k, int(end - k));
        weighted += keep(inside, w * (v - shift));
      });
    }
    sums.linear += reduce_sum(linear);
    sums.square += reduce_sum(square);
    sums.weighted += reduce_sum(weighted);
  }
  return sums;
}

// The coefficients of a row's gradient, the upstream gradient multiplied in.
template <class Scalar>
struct RowGradient {
  Scalar shift;
  Scalar power[kMaxPowers];
  Scalar linear;
  Scalar constant;
  Scalar class_weight;
  Scalar label;
};

// dx_k = sum_i power_i exp(q_i (x_k - shift)) + constant, and where the plan has them + linear x_k
// + class_weight w_k
template <int powers, class Storage, class Scalar>
INLINE void write_gradient(const Storage* x, Storage* dx, int64_t classes,
                           const RowGradient<Scalar>& row, const Plan& plan,
                           const Scalar* class_weight) {
  using Vector = typename Arithmetic<Storage>::Vector;
  using Power = typename ExponentOf<Scalar>::Type;
  constexpr int lanes = kLanes<Storage>;
  const auto gradient = [&](Vector v, Vector w) {
    Vector sum = Vector{} + row.constant;
    if (plan.square) sum += row.linear * v;
    if (plan.weighted) sum += row.class_weight * w;
    for (int i = 0; i < powers; ++i) sum += row.power[i] * Power(plan.exponent[i])(v - row.shift);
    return sum;
  };
  int64_t k = 0;
  for (; k + lanes <= classes; k += lanes) {
    store(dx + k, gradient(load(x + k), plan.weighted ? load(class_weight + k) : Vector{}));
  }
  if (k < classes) {
    const int rest = int(classes - k);
    store(dx + k,
          gradient(load(x + k, rest), plan.weighted ? load(class_weight + k, rest) : Vector{}),
          rest);
  }
}

}  // namespace
}  // namespace noisykernels
