// From coefficients to gradients, row after row.
#pragma once

#include "memory.h"
#include "scores.h"

namespace noisykernels {
namespace {

template <Besides besides, class Scalar>
INLINE RowGradient<Scalar> load_gradient(const Arguments& a, const Scalar* coefficients,
                                         Scalar scale) {
  const Plan& plan = a.plan;
  const Columns& column = plan.column;
  const auto at = [&](int index) { return index < 0 ? Scalar(0) : coefficients[index * a.rows]; };
  RowGradient<Scalar> row;
  row.label = scale * at(column.label);
  row.shift = at(column.shift);
  for (int i = 0; i < plan.powers; ++i) row.power[i] = scale * at(column.power + i);
  row.constant = scale * at(column.constant);
  if (besides != Besides::kNothing) row.linear = scale * at(column.linear);
  if (besides != Besides::kAnything) return row;
  row.class_weight = scale * at(column.class_weight);
  if (!plan.further) return row;
  row.entropy = scale * at(column.entropy);
  row.vector_power = scale * at(column.vector_power);
  row.vector = scale * at(column.vector);
  row.top = scale * at(column.top);
  row.softmax = {at(column.log_sum), at(column.top_miss)};
  for (int i = 0; i < plan.elements; ++i) row.element[i] = scale * at(column.element + i);
  if (column.top_class >= 0) {
    typename Arithmetic<Scalar>::Integer top_class;
    memcpy(&top_class, coefficients + column.top_class * a.rows, sizeof top_class);
    row.top_class = top_class;
  }
  return row;
}

// Writes a row's bounded scores to `scores`, and makes its coefficients those of them.
template <class Storage, class Scalar>
INLINE void rescale_row(const BackwardArguments& a, const Storage* x, Scalar* scores,
                        const Scalar* coefficients, RowGradient<Scalar>& row) {
  const Scalar* high = coefficients + a.plan.column.ratio * a.rows;
  const double ratio = double(*high) + double(high[a.rows]);
  write_scores(x, a.classes, ratio, double(row.shift), scores);
  // From the differences back to the scores.
  row.constant += Scalar(row.linear * (ratio * row.shift));
  row.shift = 0;
}

template <class PowerKind, Besides besides, class Storage>
__attribute__((noinline)) void write_rows(const BackwardArguments& a, int64_t begin, int64_t end) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  constexpr bool more = besides == Besides::kAnything;
  const Plan& plan = a.plan;
  const Exponents<PowerKind, Storage> exponents(plan);
  const Elements<Scalar> elements(plan);
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const Storage* logits = static_cast<const Storage*>(a.logits);
  Storage* gradient = static_cast<Storage*>(a.gradient);
  const Scalar* coefficients = static_cast<const Scalar*>(a.row_coefficients);
  const Scalar* upstream = static_cast<const Scalar*>(a.upstream);
  const bool strided = a.gradient_layout.class_stride != 1;
  Storage* scratch = allocate_scratch<Storage>(a.layout.class_stride, a.classes);
  Storage* scratch_gradient = allocate_scratch<Storage>(a.gradient_layout.class_stride, a.classes);
  const bool has_scores = more && plan.scores != Scores::kLogits;
  Scalar* scores = has_scores ? allocate<Scalar>(a.classes) : nullptr;
  const auto scale_of = [&](int64_t r) {
    return Scalar(double(upstream[r * a.upstream_stride]) / a.divisor);
  };
  const Scalar shared_scale = scale_of(0);
  const int64_t first = a.first_class, last = a.last_class;
  for (int64_t r = begin; r < end; ++r) {
    const int64_t label = a.target[r];
    Storage* const row_gradient = gradient + row_offset(a.gradient_layout, r);
    Storage* const dx = strided ? scratch_gradient : row_gradient;
    if (label == a.ignore_index) {
      memset(dx + first, 0, sizeof(Storage) * (last - first));
    } else {
      const Storage* x =
          gather(logits + row_offset(a.layout, r), a.layout.class_stride, a.classes, scratch);
      const Scalar scale = a.upstream_stride ? scale_of(r) : shared_scale;
      RowGradient<Scalar> row = load_gradient<besides>(a, coefficients + r, scale);
      const Scalar* vector = more ? class_vector<Scalar>(a, r, label) : nullptr;
      if (has_scores) {
        rescale_row(a, x, scores, coefficients + r, row);
        write_gradient<PowerKind, besides>(scores, dx, first, last, row, plan, exponents, elements,
                                           class_weight, vector);
      } else {
        write_gradient<PowerKind, besides>(x, dx, first, last, row, plan, exponents, elements,
                                           class_weight, vector);
      }
      if (first <= label && label < last) store_scalar(dx + label, row.label);
    }
    if (strided) {
      for (int64_t k = first; k < last; ++k)
        row_gradient[k * a.gradient_layout.class_stride] = dx[k];
    }
  }
  __builtin_free(scratch);
  __builtin_free(scratch_gradient);
  __builtin_free(scores);
}

template <class Storage>
void backward_rows(const BackwardArguments& a, int64_t begin, int64_t end) {
  const Plan& plan = a.plan;
  with_powers<Storage>(plan, [&](auto powers) {
    using PowerKind = decltype(powers);
    if (plan.further || plan.weighted || plan.scores != Scores::kLogits) {
      write_rows<PowerKind, Besides::kAnything, Storage>(a, begin, end);
    } else if (plan.column.linear >= 0) {
      write_rows<PowerKind, Besides::kLinear, Storage>(a, begin, end);
    } else {
      write_rows<PowerKind, Besides::kNothing, Storage>(a, begin, end);
    }
  });
}

}  // namespace
}  // namespace noisykernels
