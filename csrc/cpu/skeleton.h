// The one forward skeleton and the one backward kernel, over blocks of rows: first the O(C)
// statistics row by row, then the scalars of all rows of the block at once, as vectors over rows.
// Included once by each SIMD level.
#pragma once

#include "chunks.h"
#include "kernels.h"
#include "scores.h"
// After math.h, whose functions on vectors the terms call.
#include "../terms/table.h"

namespace noisykernels {
namespace {

INLINE int64_t row_offset(const Layout& layout, int64_t row) {
  if (layout.inner == 1) return row * layout.outer_stride;  // spares the common case two divisions
  return row / layout.inner * layout.outer_stride + row % layout.inner * layout.inner_stride;
}

// A row as contiguous elements: in place where the classes are next to each other, else copied to
// `scratch`.
template <class Storage>
INLINE const Storage* gather(const Storage* x, int64_t stride, int64_t classes, Storage* scratch) {
  if (stride == 1) return x;
  for (int64_t k = 0; k < classes; ++k) scratch[k] = x[k * stride];
  return scratch;
}

template <class T>
T* allocate(int64_t count) {
  return static_cast<T*>(__builtin_malloc(sizeof(T) * count));
}

template <class Storage>
Storage* allocate_scratch(int64_t class_stride, int64_t classes) {
  return class_stride == 1 ? nullptr : allocate<Storage>(classes);
}

template <int n>
struct Count {
  static constexpr int value = n;
};

// Calls f with the number of powers as a constant: there is a copy of the loops for each.
template <class F>
INLINE void with_powers(int powers, F f) {
  switch (powers) {
    case 0:
      return f(Count<0>{});
    case 1:
      return f(Count<1>{});
    case 2:
      return f(Count<2>{});
    case 3:
      return f(Count<3>{});
  }
}

// What a block's rows have in common with a Row<Doubles>, as one array per statistic.
struct Block {
  alignas(64) double shift[kBlockRows] = {};
  alignas(64) double logit[kBlockRows] = {};
  alignas(64) double others[kMaxPowers][kBlockRows] = {};
  alignas(64) double linear[kBlockRows] = {};
  alignas(64) double square[kBlockRows] = {};
  alignas(64) double weighted[kBlockRows] = {};
  alignas(64) double label_weight[kBlockRows] = {};  // zero for ignored rows
  alignas(64) double label_value[kBlockRows] = {};
  alignas(64) double value[kBlockRows];
};

// The same of what few losses need.
struct FurtherBlock {
  alignas(64) double excess[kBlockRows] = {};  // l - 1
  alignas(64) double entropy[kBlockRows] = {};
  alignas(64) double top_is_label[kBlockRows] = {};
  alignas(64) double vector_label[kBlockRows] = {};
  alignas(64) double vector_power[kBlockRows] = {};
  alignas(64) double vector_rest[kBlockRows] = {};
  alignas(64) double vector[kBlockRows] = {};
  alignas(64) double vector_sum[kBlockRows] = {};
  alignas(64) double element_gap[kMaxElements][kBlockRows] = {};
  alignas(64) double element_factor[kMaxElements][kBlockRows] = {};
  alignas(64) double log_sum[kBlockRows] = {};
  alignas(64) double top_miss[kBlockRows] = {};
  int64_t top_class[kBlockRows] = {};
};

// An ignored row, or one beyond the last: zeros, not its own numbers, so that its loss and gradient
// are zero whatever it holds.
INLINE void skip_row(Block& block, int r) {
  block.shift[r] = block.logit[r] = block.linear[r] = block.square[r] = block.weighted[r] = 0;
  block.label_weight[r] = block.label_value[r] = 0;
  for (int i = 0; i < kMaxPowers; ++i) block.others[i][r] = 0;
}

template <class Scalar>
INLINE const Scalar* class_vector(const Arguments& a, int64_t row, int64_t label) {
  if (!a.vectors) return nullptr;
  return static_cast<const Scalar*>(a.vectors) + (a.plan.by_sample ? row : label) * a.classes;
}

// After the sums of visit_row, what few losses need.
template <bool scores, class Storage, class Scalar>
INLINE void visit_further(const Plan& plan, const Storage* x, int64_t classes, int64_t label,
                          Scalar shift, const FurtherSums& sums, const Block& block,
                          FurtherBlock& further, ScoreBlock& score, int r, const Scalar* u) {
  further.entropy[r] = sums.entropy;
  further.vector_power[r] = sums.vector_power;
  further.vector_rest[r] = sums.vector_rest;
  if (plan.top) {
    further.top_class[r] = find_top(x, classes, shift);
    further.top_is_label[r] = further.top_class[r] == label;
  }
  // One of the classes with the largest logit brings the one: the label, or another.
  const double e_y = __builtin_exp(block.logit[r]);
  const bool tied = block.logit[r] == 0;
  const double excess = plan.apart ? sums.tail + (sums.ties + tied - 1) + (tied ? 0 : e_y)
                                   : block.others[0][r] + e_y - 1;
  further.excess[r] = excess;
  further.log_sum[r] = __builtin_log1p(excess);
  further.top_miss[r] = excess / (1 + excess);
  if (plan.elements) {
    const RowSoftmax<Scalar> softmax{Scalar(further.log_sum[r]), Scalar(further.top_miss[r])};
    const ElementSums elements = sum_elements<scores>(x, classes, label, shift, softmax, plan, u);
    for (int i = 0; i < plan.elements; ++i) {
      further.element_gap[i][r] = elements.gap[i];
      further.element_factor[i][r] = elements.factor[i];
      if (scores) score.element[i][r] = elements.moment[i];
    }
  }
}

struct PowerSums {
  double others[kMaxPowers] = {};  // of exp(q_i (x_k - shift)), k != label
  FurtherSums further;
};

// Not inline: long and short rows have the large loops in common.
template <bool scores, class Storage, class Scalar>
__attribute__((noinline)) void sum_powers(const Plan& plan, const Storage* x, int64_t classes,
                                          int64_t label, Scalar shift, const Scalar* vector,
                                          const Scalar* u, PowerSums& sums) {
  with_powers(plan.powers, [&](auto powers) {
    constexpr int count = decltype(powers)::value;
    if constexpr (count > 0) {
      if (scores || plan.further) {
        sum_powers<count, true, scores>(x, classes, label, shift, plan, vector, u, sums.others,
                                        sums.further);
      } else {
        sum_powers<count, false, false>(x, classes, label, shift, plan, vector, u, sums.others,
                                        sums.further);
      }
    }
  });
}

// A vector over the classes from class k on, if there is one.
template <class Scalar>
INLINE const Scalar* from_class(const Scalar* vector, int64_t k) {
  return vector ? vector + k : nullptr;
}

// Of bounded `scores` u, x are their differences, and more is summed for the gradient's way back.
template <bool chunked, bool scores, class Storage>
INLINE void visit_row(const ForwardArguments& a, const Storage* x, int64_t row, int64_t label,
                      Block& block, FurtherBlock& further, ScoreBlock& score, int r,
                      const typename Arithmetic<Storage>::Scalar* u = nullptr) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Plan& plan = a.plan;
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const Scalar* vector = class_vector<Scalar>(a, row, label);
  const Scalar x_y = load_scalar(x + label);
  // Without an exp the label itself is the point to subtract from: no maximum needs to be found.
  Scalar shift = plan.powers ? Scalar(-__builtin_inf()) : x_y;
  if (plan.powers) {
    const auto find = [&](int64_t begin, int64_t end, Scalar& largest) {
      largest = row_maximum(x + begin, end - begin);
    };
    merge_chunks<chunked>(a, shift, find, [](Scalar& m, Scalar part) { m = maximum(m, part); });
  }
  PowerSums power;
  const auto sum_power = [&](int64_t begin, int64_t end, PowerSums& sums) {
    sum_powers<scores>(plan, x + begin, end - begin, label - begin, shift,
                       from_class(vector, begin), u, sums);
  };
  if (plan.powers) merge_chunks<chunked>(a, power, sum_power, Add());
  for (int i = 0; i < plan.powers; ++i) block.others[i][r] = power.others[i];
  if (plan.linear || plan.square || plan.weighted || plan.vector) {
    PolynomialSums polynomial;
    const auto sum_polynomial = [&](int64_t begin, int64_t end, PolynomialSums& sums) {
      sums = sum_polynomials(x + begin, end - begin, shift, plan, from_class(class_weight, begin),
                             from_class(vector, begin));
    };
    merge_chunks<chunked>(a, polynomial, sum_polynomial, Add());
    block.linear[r] = polynomial.linear;
    block.square[r] = polynomial.square;
    block.weighted[r] = plan.weighted ? polynomial.weighted : polynomial.linear;
    further.vector[r] = polynomial.vector;
    further.vector_sum[r] = polynomial.vector_sum;
  }
  block.shift[r] = shift;
  block.logit[r] = double(x_y) - double(shift);
  block.label_value[r] = x_y;
  block.label_weight[r] = class_weight ? class_weight[label] : 1;
  if (vector) further.vector_label[r] = vector[label];
  if (plan.further || plan.statistics) {
    visit_further<scores>(plan, x, a.classes, label, shift, power.further, block, further, score, r,
                          u);
  }
  if (scores) {
    for (int i = plan.elements; i < kMaxElements; ++i) score.element[i][r] = 0;
    for (int i = 0; i < kMaxPowers; ++i) score.power[i][r] = power.further.moment[i];
    score.entropy[r] = power.further.entropy_moment;
    score.vector_power[r] = power.further.vector_power_moment;
  }
}

// The same of bounded scores, which go to `scores` on the way: the differences, then the scores
// themselves. Not inlined: plain rows keep their registers.
template <class Storage, class Scalar>
__attribute__((noinline)) void visit_scores(const ForwardArguments& a, const Storage* x,
                                            Scalar* scores, int64_t row, int64_t label,
                                            Block& block, FurtherBlock& further, ScoreBlock& score,
                                            int r) {
  const Plan& plan = a.plan;
  const LogitSums logits = sum_logits(x, a.classes);
  const Rescaling rescaling = make_rescaling(plan, logits.square);
  const double ratio = rescaling.ratio;
  const double origin = plan.powers ? row_maximum(x, a.classes) : load_scalar(x + label);
  Scalar* const u = scores + a.classes;
  write_scores(x, a.classes, ratio, origin, scores);
  write_scores(x, a.classes, ratio, 0, u);
  visit_row<false, true>(a, scores, row, label, block, further, score, r, u);

  const double x_y = load_scalar(x + label);
  block.shift[r] += ratio * origin;
  block.label_value[r] = ratio * x_y;
  block.square[r] = ratio * ratio * logits.square;
  score.ratio[r] = ratio;
  score.shrink[r] = rescaling.shrink;
  score.origin[r] = origin;
  score.square[r] = ratio * ratio * (logits.square - x_y * x_y);
  score.linear[r] = ratio * (logits.linear - x_y);
  // Without class weights w_k = 1.
  const Scalar* w = static_cast<const Scalar*>(a.class_weight);
  const Scalar* v = class_vector<Scalar>(a, row, label);
  score.weighted[r] = plan.weighted ? sum_products(w, u, a.classes, label) : score.linear[r];
  score.vector[r] = plan.vector ? sum_products(v, u, a.classes, label) : 0;
  score.top[r] = 0;
  if (plan.top && further.top_class[r] != label) score.top[r] = ratio * origin;
}

template <class Storage>
__attribute__((noinline)) void visit_long_row(const ForwardArguments& a, const Storage* x,
                                              int64_t row, int64_t label, Block& block,
                                              FurtherBlock& further, ScoreBlock& score, int r) {
  visit_row<true, false>(a, x, row, label, block, further, score, r);
}

INLINE void skip_further(FurtherBlock& block, int r) {
  block.excess[r] = block.entropy[r] = block.top_is_label[r] = block.vector_label[r] = 0;
  block.vector_power[r] = block.vector_rest[r] = block.vector[r] = block.vector_sum[r] = 0;
  block.log_sum[r] = block.top_miss[r] = 0;
  block.top_class[r] = -1;
  for (int i = 0; i < kMaxElements; ++i) block.element_gap[i][r] = block.element_factor[i][r] = 0;
}

template <class Scalar>
INLINE void store_class(Scalar* column, int64_t top_class) {
  // As an integer in the bits of a float: beyond 2^24 a float has not every class.
  const typename Arithmetic<Scalar>::Integer bits = top_class;
  memcpy(column, &bits, sizeof bits);
}

// Values into the block, coefficients of its first `rows` rows to their columns, a.rows apart.
template <class Scalar>
INLINE void evaluate_block(const Arguments& a, double class_weights, Block& block,
                           const FurtherBlock& further, const ScoreBlock& score, int rows,
                           Scalar* coefficients) {
  constexpr int lanes = kLanes<double>;
  const Plan& plan = a.plan;
  const Columns& column = plan.column;
  const bool has_further = plan.further || plan.statistics;
  const bool has_scores = plan.scores != Scores::kLogits;
  for (int r = 0; r < rows; r += lanes) {
    Row<Doubles> row;
    row.classes = Doubles{} + double(a.classes);
    row.logit = load(block.logit + r);
    for (int i = 0; i < kMaxPowers; ++i) row.others[i] = load(block.others[i] + r);
    row.linear = load(block.linear + r);
    row.square = load(block.square + r);
    row.weighted = load(block.weighted + r);
    row.class_weights = Doubles{} + class_weights;
    row.label_weight = load(block.label_weight + r);
    row.label_value = load(block.label_value + r);
    if (has_further) {
      row.entropy = load(further.entropy + r);
      row.top_is_label = load(further.top_is_label + r);
      row.vector_label = load(further.vector_label + r);
      row.vector_power = load(further.vector_power + r);
      row.vector_rest = load(further.vector_rest + r);
      row.vector = load(further.vector + r);
      row.vector_sum = load(further.vector_sum + r);
      for (int i = 0; i < kMaxElements; ++i) {
        row.element_gap[i] = load(further.element_gap[i] + r);
        row.element_factor[i] = load(further.element_factor[i] + r);
      }
    }
    if (plan.softmax) {
      const Doubles e_y = exp(row.logit);
      complete_softmax(row, e_y,
                       has_further ? load(further.excess + r) : row.others[0] + e_y - 1.0);
    }
    Gradient<Doubles> g = evaluate(plan, row);
    const Doubles shift = load(block.shift + r);
    if (has_scores) pull_back(score, row, r, g);
    store(block.value + r, g.value);
    const int rest = rows - r < lanes ? rows - r : lanes;
    const auto store_column = [&](int index, Doubles v) {
      if (index >= 0) store_as(coefficients + index * a.rows + r, v, rest);
    };
    store_column(column.label, g.label);
    store_column(column.shift, has_scores ? load(score.origin + r) : shift);
    for (int i = 0; i < plan.powers; ++i) store_column(column.power + i, g.power[i]);
    store_column(column.linear, g.linear);
    // Without class weights w_k = 1.
    store_column(column.constant, a.class_weight ? g.constant : g.constant + g.class_weight);
    store_column(column.class_weight, g.class_weight);
    if (!has_further) continue;
    store_column(column.entropy, g.entropy);
    store_column(column.vector_power, g.vector_power);
    store_column(column.vector, g.vector);
    store_column(column.top, g.top);
    store_column(column.log_sum, load(further.log_sum + r));
    store_column(column.top_miss, load(further.top_miss + r));
    for (int i = 0; i < plan.elements; ++i) store_column(column.element + i, g.element[i]);
    if (plan.statistics) {
      store_column(column.statistics, row.log_p);
      store_column(column.statistics + 1, row.p);
      store_column(column.statistics + 2, shift + row.log_sum);
    }
  }
}

// In two parts, of which the second is what rounding the first has lost.
template <class Scalar>
INLINE void store_ratios(const Arguments& a, const ScoreBlock& score, int rows,
                         Scalar* coefficients) {
  Scalar* high = coefficients + a.plan.column.ratio * a.rows;
  for (int r = 0; r < rows; ++r) {
    high[r] = Scalar(score.ratio[r]);
    high[a.rows + r] = Scalar(score.ratio[r] - double(high[r]));
  }
}

// A row that was not read leaves zeros, not the zero over zero of some term.
template <class Scalar>
INLINE void clear_row(const Arguments& a, Scalar* coefficients) {
  for (int i = 0; i < a.plan.column.count; ++i) coefficients[i * a.rows] = 0;
}

// What a block leaves as classes, and the statistics of rows that were not read.
template <class Scalar>
INLINE void store_classes(const Arguments& a, const FurtherBlock& further, const bool* kept,
                          int rows, Scalar* coefficients) {
  const Columns& column = a.plan.column;
  for (int r = 0; r < rows; ++r) {
    const auto at = [&](int index) { return coefficients + index * a.rows + r; };
    if (column.top_class >= 0) store_class(at(column.top_class), further.top_class[r]);
    if (!a.plan.statistics) continue;
    store_class(at(column.statistics + 3), further.top_class[r]);
    for (int i = 0; i < 3 && !kept[r]; ++i) *at(column.statistics + i) = Scalar(__builtin_nan(""));
  }
}

template <class Storage>
void forward_rows(const ForwardArguments& a, int64_t begin, int64_t end) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Storage* logits = static_cast<const Storage*>(a.logits);
  Storage* scratch = allocate_scratch<Storage>(a.layout.class_stride, a.classes);
  double class_weights = double(a.classes);
  if (a.class_weight) {
    class_weights = 0;
    for (int64_t k = 0; k < a.classes; ++k)
      class_weights += static_cast<const Scalar*>(a.class_weight)[k];
  }
  Scalar* coefficients = static_cast<Scalar*>(a.row_coefficients);
  const bool has_further = a.plan.further || a.plan.statistics;
  const bool has_scores = a.plan.scores != Scores::kLogits;
  Scalar* scores = has_scores ? allocate<Scalar>(2 * a.classes) : nullptr;
  Block block;
  FurtherBlock further;
  ScoreBlock score;
  for (int64_t first = begin; first < end; first += kBlockRows) {
    const int rows = int(end - first < kBlockRows ? end - first : kBlockRows);
    bool kept[kBlockRows] = {};
    for (int r = 0; r < rows; ++r) {
      const int64_t label = a.target[first + r];
      kept[r] = label != a.ignore_index;
      if (kept[r]) {
        const Storage* x = gather(logits + row_offset(a.layout, first + r), a.layout.class_stride,
                                  a.classes, scratch);
        if (has_scores) {
          visit_scores(a, x, scores, first + r, label, block, further, score, r);
        } else if (a.classes <= kChunk) {
          visit_row<false, false>(a, x, first + r, label, block, further, score, r);
        } else {
          visit_long_row(a, x, first + r, label, block, further, score, r);
        }
      } else {
        skip_row(block, r);
        if (has_further) skip_further(further, r);
        if (has_scores) skip_scores(score, r);
      }
    }
    for (int r = rows; r < kBlockRows; ++r) {
      skip_row(block, r);
      if (has_scores) skip_scores(score, r);
    }
    evaluate_block(a, class_weights, block, further, score, rows, coefficients + first);
    if (has_scores) store_ratios(a, score, rows, coefficients + first);
    for (int r = 0; r < rows; ++r) {
      if (!kept[r]) clear_row(a, coefficients + first + r);
    }
    if (has_further) store_classes(a, further, kept, rows, coefficients + first);

    for (int r = 0; r < rows; ++r) {
      const double value = kept[r] ? block.value[r] : 0;
      if (a.reduction == Reduction::kNone) {
        static_cast<Scalar*>(a.loss)[first + r] = Scalar(value);
      } else {
        a.value[first + r] = value;
        a.label_weight[first + r] = block.label_weight[r];
      }
    }
  }
  __builtin_free(scratch);
  __builtin_free(scores);
}

template <class Scalar>
INLINE RowGradient<Scalar> load_gradient(const Arguments& a, const Scalar* coefficients,
                                         Scalar scale) {
  const Plan& plan = a.plan;
  const Columns& column = plan.column;
  const auto at = [&](int index) { return index < 0 ? Scalar(0) : coefficients[index * a.rows]; };
  RowGradient<Scalar> row;
  row.label = scale * at(column.label);
  row.shift = at(column.shift);
  for (int i = 0; i < plan.powers; ++i) row.power[i] = scale * at(column.power + i);
  row.linear = scale * at(column.linear);
  row.constant = scale * at(column.constant);
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

// The gradient of a row but for the label's.
template <class Storage, class Written, class Scalar>
INLINE void write_row(const BackwardArguments& a, const Storage* x, Written* dx,
                      const RowGradient<Scalar>& row, const Scalar* vector) {
  const Scalar* class_weight = static_cast<const Scalar*>(a.class_weight);
  const Plan& plan = a.plan;
  const int64_t first = a.first_class, last = a.last_class;
  with_powers(plan.powers, [&](auto powers) {
    constexpr int count = decltype(powers)::value;
    if (plan.further || plan.column.linear >= 0 || plan.weighted) {
      write_gradient<count, true>(x, dx, first, last, row, plan, class_weight, vector);
    } else {
      write_gradient<count, false>(x, dx, first, last, row, plan, class_weight, vector);
    }
  });
}

// The same of bounded scores, which go to `scores` on the way.
template <class Storage, class Scalar>
__attribute__((noinline)) void write_row_of_scores(const BackwardArguments& a, const Storage* x,
                                                   Scalar* scores, Storage* dx,
                                                   const Scalar* coefficients,
                                                   RowGradient<Scalar> row, const Scalar* vector) {
  const Scalar* high = coefficients + a.plan.column.ratio * a.rows;
  const double ratio = double(*high) + double(high[a.rows]);
  write_scores(x, a.classes, ratio, double(row.shift), scores);
  // From the differences back to the scores.
  row.constant += Scalar(row.linear * (ratio * row.shift));
  row.shift = 0;
  write_row(a, scores, dx, row, vector);
}

template <class Storage>
void backward_rows(const BackwardArguments& a, int64_t begin, int64_t end) {
  using Scalar = typename Arithmetic<Storage>::Scalar;
  const Storage* logits = static_cast<const Storage*>(a.logits);
  Storage* gradient = static_cast<Storage*>(a.gradient);
  const Scalar* coefficients = static_cast<const Scalar*>(a.row_coefficients);
  const Scalar* upstream = static_cast<const Scalar*>(a.upstream);
  const bool strided = a.gradient_layout.class_stride != 1;
  Storage* scratch = allocate_scratch<Storage>(a.layout.class_stride, a.classes);
  Storage* scratch_gradient = allocate_scratch<Storage>(a.gradient_layout.class_stride, a.classes);
  const bool has_scores = a.plan.scores != Scores::kLogits;
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
      const RowGradient<Scalar> row = load_gradient(a, coefficients + r, scale);
      const Scalar* vector = class_vector<Scalar>(a, r, label);
      if (has_scores) {
        write_row_of_scores(a, x, scores, dx, coefficients + r, row, vector);
      } else {
        write_row(a, x, dx, row, vector);
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

void forward(const ForwardArguments& a, int64_t begin, int64_t end) {
  switch (a.dtype) {
    case ScalarType::kFloat:
      return forward_rows<float>(a, begin, end);
    case ScalarType::kDouble:
      return forward_rows<double>(a, begin, end);
    case ScalarType::kHalf:
      return forward_rows<Half>(a, begin, end);
    case ScalarType::kBFloat16:
      return forward_rows<BFloat16>(a, begin, end);
  }
}

void backward(const BackwardArguments& a, int64_t begin, int64_t end) {
  switch (a.dtype) {
    case ScalarType::kFloat:
      return backward_rows<float>(a, begin, end);
    case ScalarType::kDouble:
      return backward_rows<double>(a, begin, end);
    case ScalarType::kHalf:
      return backward_rows<Half>(a, begin, end);
    case ScalarType::kBFloat16:
      return backward_rows<BFloat16>(a, begin, end);
  }
}

}  // namespace

namespace NOISYKERNELS_LEVEL {
extern const Kernels kernels;
const Kernels kernels = {NOISYKERNELS_LEVEL_NAME, forward, backward};
}  // namespace NOISYKERNELS_LEVEL

}  // namespace noisykernels
