// The one backward kernel: no loss is known here. Nothing is exchanged between threads.
#pragma once

#include "further.h"

namespace noisykernels {
namespace {

struct BackwardPlace {
  BackwardRegime regime;
  Access access;
  Access gradient_access;
  const void* divisor;
};

// The coefficients of a row's gradient as `columns` in noisykernels/terms/sums.py has them, the
// upstream gradient multiplied in.
template <class Scalar>
struct RowGradient {
  Scalar label;
  Scalar shift;
  Scalar power[kMaxPowers];
  Scalar entropy;
  Scalar vector_power;
  Scalar linear;
  Scalar constant;
  Scalar class_weight;
  Scalar vector;
  Scalar top;
  int64_t top_class;
  RowSoftmax<Scalar> softmax;
  Scalar element[kMaxElements];
  Ratio<Scalar> ratio;  // of bounded scores
};

template <int powers, bool further, bool scores, class Scalar>
DEVICE RowGradient<Scalar> load_gradient(const Arguments& a, int64_t row, Scalar scale) {
  const Columns& column = a.plan.column;
  // Columns lie in the order in which they are read here.
  const Scalar* p = static_cast<const Scalar*>(a.row_coefficients) + row;
  const auto next = [&](int index) {
    if (index < 0) return Scalar(0);
    const Scalar value = *p;
    p += a.rows;
    return value;
  };
  RowGradient<Scalar> r{};
  r.label = scale * next(column.label);
  r.shift = next(column.shift);
#pragma unroll
  for (int i = 0; i < powers; ++i) {
    if (i < a.plan.powers) r.power[i] = scale * next(column.power);
  }
  if (further) {
    r.entropy = scale * next(column.entropy);
    r.vector_power = scale * next(column.vector_power);
  }
  r.linear = scale * next(column.linear);
  r.constant = scale * next(column.constant);
  r.class_weight = scale * next(column.class_weight);
  if (further) {
    r.vector = scale * next(column.vector);
    r.top = scale * next(column.top);
    const Scalar top_class = next(column.top_class);
    r.top_class = column.top_class < 0 ? -1 : bit_cast<typename Type<Scalar>::Integer>(top_class);
    r.softmax.log_sum = next(column.log_sum);
    r.softmax.top_miss = next(column.top_miss);
#pragma unroll
    for (int i = 0; i < kMaxElements; ++i) {
      if (i < a.plan.elements) r.element[i] = scale * next(column.element);
    }
  }
  if (scores) {
    r.ratio.high = next(column.ratio);
    r.ratio.rest = next(column.ratio);
  }
  return r;
}

// What few losses add to the gradient at class k.
template <class Scalar>
DEVICE Scalar further_gradient(const RowGradient<Scalar>& r, const Plan& plan, Scalar d, Scalar e,
                               Scalar v, int k) {
  Scalar sum = 0;
  if (plan.entropy && e != 0) sum += r.entropy * e * d;  // not 0 times -inf
  sum += r.vector_power * v * e + r.vector * v;
  if (k == r.top_class) sum += r.top;
#pragma unroll
  for (int j = 0; j < kMaxElements; ++j) {
    if (j < plan.elements)
      sum += r.element[j] *
             element_factor(plan.element[j], plan.exponent[0], d, d - r.softmax.log_sum, r.softmax);
  }
  return sum;
}

template <class Storage, int powers, bool further = false, bool scores = false>
__global__ void __launch_bounds__(256, further ? 2 : 3)
    backward_kernel(const __grid_constant__ BackwardArguments a,
                    const __grid_constant__ BackwardPlace place) {
  using Scalar = ScalarOf<Storage>;
  using Power = std::conditional_t<further, typename DifferencePowerOf<Scalar>::Type,
                                   typename PowerOf<Storage>::Type>;
  constexpr int size = Vector<Storage>::size;
  const Plan& plan = a.plan;
  const Team team{place.regime.width_log2};  // larger than a warp, maybe: nothing is exchanged
  const int width = team.width();
  const int64_t row = int64_t(blockIdx.x) * team.count() + team.number();
  if (row >= a.rows) return;
  const RowMemory<Storage> dx(a.gradient, a.gradient_layout, place.gradient_access, row, a.classes);
  const int first = blockIdx.y * kUnroll * width + team.rank();
  const int64_t label = a.target[row];
  if (label == a.ignore_index || label < 0 || label >= a.classes) {
    // Nothing of an ignored row is looked at. A label out of range makes its row NaN.
    Vector<Storage> same;
#pragma unroll
    for (int i = 0; i < size; ++i) same.set(i, label == a.ignore_index ? Scalar(0) : Scalar(NAN));
    for (int j = 0; j < kUnroll; ++j) dx.store(dx.first_class(first + j * width), same);
    return;
  }

  const RowMemory<Storage> x(a.logits, a.layout, place.access, row, a.classes);
  const Scalar* const class_weight = static_cast<const Scalar*>(a.class_weight);
  const Scalar upstream = static_cast<const Scalar*>(a.upstream)[row * a.upstream_stride];
  const Scalar scale = upstream / *static_cast<const Scalar*>(place.divisor);
  RowGradient<Scalar> r = load_gradient<powers, further, scores, Scalar>(a, row, scale);
  const PowerTable<Power, powers> power(plan);
  Scalar origin[powers > 0 ? powers : 1];
#pragma unroll
  for (int i = 0; i < powers; ++i) {
    origin[i] = power.at[i].origin(r.shift);
    r.power[i] *= power.at[i].restored(r.shift, origin[i]);
  }
  const Scalar* const vector = further && a.vectors ? static_cast<const Scalar*>(a.vectors) +
                                                          (plan.by_sample ? row : label) * a.classes
                                                    : nullptr;
  const auto label_gradient = bit_cast<typename Type<Storage>::Bits>(narrow<Storage>(r.label));

  Vector<Storage> v[kUnroll];
  // The gradient of MUH does not depend on the logits.
  if (!further && (powers > 0 || plan.square)) x.load(first, width, v);
  // What few losses need takes so many registers that vectors come one by one.
#pragma unroll(further ? 1 : kUnroll)
  for (int j = 0; j < kUnroll; ++j) {
    const int k = x.first_class(first + j * width);
    if (k >= a.classes) break;
    const Vector<Storage> in = further ? x.load(k) : v[j];
    const auto inside = [&](int i) { return k + i >= 0 && k + i < a.classes; };
    Scalar dz[size];
#pragma unroll
    for (int i = 0; i < size; ++i) {
      dz[i] = r.constant;
#pragma unroll
      for (int p = 0; p < powers; ++p) {
        if constexpr (further) {
          if (p >= plan.powers) continue;
          Scalar d = in.get(i) - r.shift;
          if (scores) d = r.ratio.times(d);
          const Scalar e = power.at[p].of_difference(d);
          dz[i] = fma(r.power[p], e, dz[i]);
          if (p > 0) continue;
          const Scalar of_class = vector && inside(i) ? vector[k + i] : Scalar(0);
          dz[i] += further_gradient(r, plan, d, e, of_class, k + i);
        } else {
          dz[i] = fma(r.power[p], power.at[p](in.get(i), origin[p]), dz[i]);
        }
      }
    }
    if (scores || plan.square) {
#pragma unroll
      for (int i = 0; i < size; ++i) {
        const Scalar x = in.get(i);
        dz[i] = fma(r.linear, scores ? r.ratio.times(x) : x, dz[i]);
      }
    }
    if (plan.weighted) {
#pragma unroll
      for (int i = 0; i < size; ++i) {
        if (inside(i)) dz[i] = fma(r.class_weight, class_weight[k + i], dz[i]);
      }
    }
    Vector<Storage> out;
    out.set(dz);
    replace(out, int(label) - k, label_gradient);
    dx.store(k, out);
  }
}

}  // namespace
}  // namespace noisykernels
