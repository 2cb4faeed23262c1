// The O(C) work on one row: its statistics, forward, and its gradient, backward. No loss is known
// here.
#pragma once

#include "exponents.h"
#include "further.h"

namespace noisykernels {
namespace {

// Vectors summed in float before a partial sum moves on to double. Equal numbers round the same way
// every time: a sum of n drifts by up to n 2^-25, which must stay below 1e-6.
constexpr int64_t kFlush = 32;

// The classes of such a part of a row.
template <class Storage>
constexpr int64_t kPart = kFlush * kLanes<Storage>;

// A vector with the row's maximum in one of its lanes.
template <class Storage>
INLINE auto maximum_part(const Storage* x, int64_t classes) {
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
  if (k == classes) return m;
  if (classes >= lanes) return maximum(m, load(x + classes - lanes));
  return iota<typename A::Mask>() < int(classes) ? load(x, int(classes)) : lowest;
}

template <class Storage>
INLINE auto row_maximum(const Storage* x, int64_t classes) {
  return reduce_maximum(maximum_part(x, classes));
}

// Calls visit(vector, class index of its first lane, mask of its lanes) over a row. The last vector
// overlaps the one before, and the mask has the lanes that were not yet there; of fewer classes
// than lanes it has those.
template <class Storage, class Visit>
INLINE void for_each_vector(const Storage* x, int64_t begin, int64_t end, Visit visit) {
  using Mask = typename Arithmetic<Storage>::Mask;
  constexpr int lanes = kLanes<Storage>;
  const int rest = int((end - begin) % lanes);
  const int64_t whole = end - rest;
  for (int64_t k = begin; k < whole; k += lanes) visit(load(x + k), k, Mask{} - 1);
  if (rest == 0) return;
  const bool overlaps = begin < whole;
  const int64_t k = overlaps ? end - lanes : begin;
  visit(overlaps ? load(x + k) : load(x + k, rest), k,
        overlaps ? iota<Mask>() >= lanes - rest : iota<Mask>() < rest);
}

// The first class with the largest logit, or the first that is NaN.
template <class Storage, class Scalar>
INLINE int64_t find_top(const Storage* x, int64_t classes, Scalar largest) {
  using A = Arithmetic<Storage>;
  using Mask = typename A::Mask;
  constexpr typename A::Integer none = ~0ull >> (65 - 8 * sizeof(none));
  const Mask lane = iota<Mask>();
  const auto find = [&](auto is_it) {
    Mask first = Mask{} + none;
    for_each_vector(x, 0, classes, [&](auto v, int64_t k, Mask inside) {
      const Mask at = (inside & is_it(v)) ? lane + typename A::Integer(k) : Mask{} + none;
      first = at < first ? at : first;
    });
    return reduce(first, [](auto a, auto b) { return a < b ? a : b; });
  };
  const auto top = find([&](auto v) { return v == largest; });
  return top < none ? top : find([](auto v) { return v != v; });
}

// The same as for_each_vector, with the mask of the lanes that are not the label either.
template <class Storage, class Visit>
INLINE void for_each_other(const Storage* x, int64_t begin, int64_t end, int64_t label,
                           Visit visit) {
  using A = Arithmetic<Storage>;
  const auto lane = iota<typename A::Mask>();
  const auto visit_others = [&](auto v, int64_t k, auto inside) __attribute__((always_inline)) {
    visit(v, k, inside & (lane != typename A::Integer(label - k)));
  };
  for_each_vector(x, begin, end, visit_others);
}

// The part of a vector over the classes that belongs to a vector of logits at class k.
template <class Scalar>
INLINE auto load_part(const Scalar* p, int64_t k, int64_t end) {
  constexpr int lanes = kLanes<Scalar>;
  return k + lanes <= end ? load(p + k) : load(p + k, int(end - k));
}

struct PowerSums {
  double power[kMaxPowers] = {};  // sum over k != label of exp(q_i (x_k - shift))
  FurtherSums further;
};

// Adds to `sums`, with `further` also what few losses need, with `scores` what bounded ones do. On
// the way the row to be visited next, if there is one, comes nearer: exponentials leave the memory
// idle, and the maximum, which is looked for first, does not wait for much else.
template <class PowerKind, bool further, bool scores, class Storage, class Scalar>
__attribute__((noinline)) void sum_powers(const Storage* x, int64_t classes, int64_t label,
                                          Scalar shift, const Plan& plan, const Scalar* vector,
                                          const Scalar* u, const void* next, PowerSums& sums) {
  using Vector = typename Arithmetic<Storage>::Vector;
  using Mask = typename Arithmetic<Storage>::Mask;
  constexpr int powers = PowerKind::count;
  const Exponents<PowerKind, Scalar> exponents(plan);
  for (int64_t begin = 0; begin < classes; begin += kPart<Storage>) {
    const int64_t end = classes - begin < kPart<Storage> ? classes : begin + kPart<Storage>;
    Vector partial[powers] = {}, moment[powers] = {};
    FurtherPart<Vector> part;
    const auto visit = [&](Vector v, int64_t k, Mask others) __attribute__((always_inline)) {
      if (next) __builtin_prefetch(static_cast<const Storage*>(next) + k);
      const Vector d = v - shift;
      const Vector score = scores ? load_part(u, k, end) : Vector{};
      if (!further && !scores) return exponents.add(partial, d, others);
      exponents.for_each(d, [&](Vector power, int i) __attribute__((always_inline)) {
        const Vector e = keep(others, power);
        partial[i] += e;
        if (scores) moment[i] += e * score;
        if (further && i == 0) {
          const Vector c = plan.vector_power ? load_part(vector, k, end) : Vector{};
          part.template add<scores>(d, e, c, score, others, plan);
        }
      });
    };
    for_each_other(x, begin, end, label, visit);
    for (int i = 0; i < powers; ++i) sums.power[i] += reduce_sum(partial[i]);
    for (int i = 0; scores && i < powers; ++i) sums.further.moment[i] += reduce_sum(moment[i]);
    if (further) part.move_to(sums.further, plan);
  }
  if (further && plan.apart) sums.power[0] = sums.further.tail + sums.further.ties;
}

// Parts of sums, of a vector: of x_k - shift,
template <class Storage, class Scalar>
INLINE auto linear_part(const Storage* x, int64_t begin, int64_t end, Scalar shift) {
  typename Arithmetic<Storage>::Vector sum = {};
  for_each_vector(x, begin, end,
                  [&](auto v, int64_t, auto inside) { sum += keep(inside, v - shift); });
  return sum;
}

// of x_k^2,
template <class Storage>
INLINE auto square_part(const Storage* x, int64_t begin, int64_t end) {
  typename Arithmetic<Storage>::Vector sum = {};
  for_each_vector(x, begin, end, [&](auto v, int64_t, auto inside) { sum += keep(inside, v * v); });
  return sum;
}

// and of w_k (x_k - shift).
template <class Storage, class Scalar>
INLINE auto weighted_part(const Storage* x, int64_t begin, int64_t end, Scalar shift,
                          const Scalar* w) {
  typename Arithmetic<Storage>::Vector sum = {};
  for_each_vector(x, begin, end, [&](auto v, int64_t k, auto inside) {
    sum += keep(inside, load_part(w, k, end) * (v - shift));
  });
  return sum;
}

struct PolynomialSums {
  double linear = 0;    // sum of x_k - shift
  double square = 0;    // sum of x_k^2
  double weighted = 0;  // sum of w_k (x_k - shift)
  double vector = 0;    // sum of v_k (x_k - shift)
  double vector_sum = 0;
};

template <class Storage, class Scalar>
INLINE PolynomialSums sum_polynomials(const Storage* x, int64_t classes, Scalar shift,
                                      const Plan& plan, const Scalar* class_weight,
                                      const Scalar* class_vector) {
  using Vector = typename Arithmetic<Storage>::Vector;
  PolynomialSums sums;
  for (int64_t begin = 0; begin < classes; begin += kPart<Storage>) {
    const int64_t end = classes - begin < kPart<Storage> ? classes : begin + kPart<Storage>;
    if (plan.linear) sums.linear += reduce_sum(linear_part(x, begin, end, shift));
    if (plan.square) sums.square += reduce_sum(square_part(x, begin, end));
    if (plan.weighted)
      sums.weighted += reduce_sum(weighted_part(x, begin, end, shift, class_weight));
    if (plan.vector) {
      Vector vector = {}, vector_sum = {};
      for_each_vector(x, begin, end, [&](Vector v, int64_t k, auto inside) {
        const Vector c = keep(inside, load_part(class_vector, k, end));
        vector += keep(c != Vector{}, c * (v - shift));  // not 0 times -inf
        vector_sum += c;
      });
      sums.vector += reduce_sum(vector);
      sums.vector_sum += reduce_sum(vector_sum);
    }
  }
  return sums;
}

struct ElementSums {
  double gap[kMaxElements] = {};     // of offset + f_k log p_k
  double factor[kMaxElements] = {};  // of f_k
  double moment[kMaxElements] = {};  // of f_k u_k, of bounded scores
};

// Sums over the classes that are not the label, where log p_k is not below the floor: a second
// visit, once the softmax is known.
template <bool scores, class Storage, class Scalar>
__attribute__((noinline)) ElementSums sum_elements(const Storage* x, int64_t classes, int64_t label,
                                                   Scalar shift, const RowSoftmax<Scalar>& softmax,
                                                   const Plan& plan, const Scalar* u) {
  using Vector = typename Arithmetic<Storage>::Vector;
  using Mask = typename Arithmetic<Storage>::Mask;
  const Elements<Scalar> elements(plan);
  ElementSums sums;
  for (int64_t begin = 0; begin < classes; begin += kPart<Storage>) {
    const int64_t end = classes - begin < kPart<Storage> ? classes : begin + kPart<Storage>;
    Vector gap[kMaxElements] = {}, factor[kMaxElements] = {}, moment[kMaxElements] = {};
    const auto visit = [&](Vector v, int64_t k, Mask others) __attribute__((always_inline)) {
      const auto add = [&](int i, Vector f, Vector log_p, Mask above)
                           __attribute__((always_inline)) {
                             gap[i] += keep(others & above, elements.offset[i] + f * log_p);
                             factor[i] += keep(others & above, f);
                             if (scores)
                               moment[i] += keep(others & above, f * load_part(u, k, end));
                           };
      const Vector d = v - shift;
      for_each_element(elements, d, elements.exponential(d), softmax, add);
    };
    for_each_other(x, begin, end, label, visit);
    for (int i = 0; i < plan.elements; ++i) {
      sums.gap[i] += reduce_sum(gap[i]);
      sums.factor[i] += reduce_sum(factor[i]);
      if (scores) sums.moment[i] += reduce_sum(moment[i]);
    }
  }
  return sums;
}

// The coefficients of a row's gradient, the upstream gradient multiplied in.
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
};

// What a gradient has besides powers and a constant: a multiple of the logit, or any of the rest.
enum class Besides { kNothing, kLinear, kAnything };

// dx_k from its coefficients as `columns` in noisykernels/terms/sums.py has them, but for the
// label's.
template <class PowerKind, Besides besides, class Storage, class Written, class Scalar>
INLINE void write_gradient(const Storage* x, Written* dx, int64_t begin, int64_t end,
                           const RowGradient<Scalar>& row, const Plan& plan,
                           const Exponents<PowerKind, Written>& exponents,
                           const Elements<Scalar>& elements, const Scalar* class_weight,
                           const Scalar* class_vector) {
  using A = Arithmetic<Storage>;
  using Vector = typename A::Vector;
  using Mask = typename A::Mask;
  constexpr int lanes = kLanes<Storage>;
  constexpr bool more = besides == Besides::kAnything;
  const bool linear = more ? plan.column.linear >= 0 : besides == Besides::kLinear;
  const auto gradient = [&](Vector v, int64_t k) __attribute__((always_inline)) {
    Vector sum = Vector{} + row.constant;
    if (linear) sum += row.linear * v;
    if (more && plan.weighted) sum += row.class_weight * load_part(class_weight, k, end);
    const Vector d = v - row.shift;
    exponents.for_each(d, [&](Vector e, int i) __attribute__((always_inline)) {
      sum += row.power[i] * e;
      if (more && i == 0) {
        if (plan.entropy) sum += keep(e != Vector{}, row.entropy * e * d);
        if (plan.vector_power) sum += row.vector_power * load_part(class_vector, k, end) * e;
        if (plan.vector) sum += row.vector * load_part(class_vector, k, end);
        if (plan.column.top >= 0)
          sum += keep(iota<Mask>() == typename A::Integer(row.top_class - k), Vector{} + row.top);
        const auto add = [&](int j, Vector f, Vector, Mask above) __attribute__((always_inline)) {
          sum += keep(above, row.element[j] * f);
        };
        for_each_element(elements, d, e, row.softmax, add);
      }
    });
    return sum;
  };
  int64_t k = begin;
  // Rounding to half precision ends a long chain of instructions: several vectors in turn keep the
  // processor busy where it does not look far enough ahead.
  constexpr int together =
      besides != Besides::kNothing || sizeof(Storage) == sizeof(Scalar) ? 1 : 6;
  for (; k + together * lanes <= end; k += together * lanes) {
    Vector v[together];
    for (int i = 0; i < together; ++i) v[i] = load(x + k + i * lanes);
    for (int i = 0; i < together; ++i) v[i] = gradient(v[i], k + i * lanes);
    for (int i = 0; i < together; ++i) store(dx + k + i * lanes, v[i]);
  }
  for (; k + lanes <= end; k += lanes) store(dx + k, gradient(load(x + k), k));
  if (k == end) return;
  if (end - begin >= lanes) {  // overlaps the one before
    k = end - lanes;
    store(dx + k, gradient(load(x + k), k));
  } else {
    const int rest = int(end - k);
    store(dx + k, gradient(load(x + k, rest), k), rest);
  }
}

}  // namespace
}  // namespace noisykernels
