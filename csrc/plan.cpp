#include "plan.h"

#include <cmath>
#include <cstring>

#include "terms/table.h"

namespace noisykernels {
namespace {

// The leading `bits` of the mantissa.
double leading_bits(double x, int bits) {
  int exponent;
  const double mantissa = std::frexp(x, &exponent);
  return std::ldexp(std::trunc(std::ldexp(mantissa, bits)), exponent - bits);
}

Exponent make_exponent(double q) {
  const double step = std::log(2.0) / q;  // d changes by this when exp(q d) doubles
  Exponent e;
  e.q = q;
  e.log2e = q / std::log(2.0);
  // n has at most 8 bits in float and 11 in double: times a high part of 12 or 32 bits it is exact.
  e.high_f = float(leading_bits(step, 12));
  e.low_f = float(step - leading_bits(step, 12));
  e.high_d = leading_bits(step, 32);
  e.low_d = step - e.high_d;
  e.step = step;
  const double rest = step / float(step) - 1;
  e.is_short = std::abs(rest) < 0x1p-28 && q > 0x1p-10 && q < 0x1p10;
  return e;
}

const Exponent& exponent_one() {
  static const Exponent one = make_exponent(1.0);
  return one;
}

int find_or_add_power(Plan& plan, double q) {
  for (int i = 0; i < plan.powers; ++i) {
    if (plan.exponent[i].q == q) return i;
  }
  if (plan.powers == kMaxPowers)
    throw std::invalid_argument("more distinct powers than one pass can carry");
  plan.exponent[plan.powers] = q == 1.0 ? exponent_one() : make_exponent(q);
  return plan.powers++;
}

int find_or_add_element(Plan& plan, double gamma, double floor) {
  for (int i = 0; i < plan.elements; ++i) {
    if (plan.element[i].gamma == gamma && plan.element[i].floor == floor) return i;
  }
  if (plan.elements == kMaxElements)
    throw std::invalid_argument("more elementwise functions than one pass can carry");
  Element& element = plan.element[plan.elements];
  element.gamma = gamma;
  element.floor = floor;
  element.offset = std::isinf(floor) ? 0.0 : -std::pow(-std::expm1(floor), gamma) * floor;
  element.power = make_exponent(gamma == 0.0 ? 1.0 : gamma);  // of 0 no power is computed
  return plan.elements++;
}

// In the order of `columns` in noisykernels/terms/sums.py.
Columns make_columns(const Plan& plan, int needs, bool has_class_weight) {
  Columns c;
  const auto add = [&](int& column, int count) {
    if (count == 0) return;
    column = c.count;
    c.count += count;
  };
  add(c.label, 1);
  add(c.shift, plan.powers > 0);
  add(c.power, plan.powers);
  add(c.entropy, plan.entropy);
  add(c.vector_power, plan.vector_power);
  add(c.linear, plan.square || plan.scores != Scores::kLogits);
  add(c.constant, needs & kLinearSum || (needs & kWeightedSum && !has_class_weight));
  add(c.class_weight, plan.weighted);
  add(c.vector, plan.vector);
  add(c.top, bool(needs & kTop));
  add(c.top_class, bool(needs & kTop));
  add(c.log_sum, plan.elements > 0);
  add(c.top_miss, plan.elements > 0);
  add(c.element, plan.elements);
  add(c.ratio, plan.scores != Scores::kLogits ? 2 : 0);
  add(c.statistics, plan.statistics ? kStatistics : 0);
  return c;
}

}  // namespace

Plan make_plan(const int64_t* terms, const double* values, int64_t count, bool has_class_weight,
               bool statistics, int64_t scores, double length) {
  if (scores < 0 || scores > int64_t(Scores::kClipped))
    throw std::invalid_argument("unknown kind of scores");
  if (scores && !(length > 0 && std::isfinite(length)))
    throw std::invalid_argument("the length of scores must be positive");
  if (count > kMaxTerms) throw std::invalid_argument("more terms than one pass can carry");
  Plan plan;
  int needs = 0;
  for (int64_t t = 0; t < count; ++t) {
    if (terms[t] < 0 || terms[t] >= kTerms) throw std::invalid_argument("unknown term id");
    needs |= kNeeds[terms[t]];
  }
  plan.softmax = statistics || needs & kSoftmax;
  if (plan.softmax) find_or_add_power(plan, 1.0);  // first, so that it is power 0
  for (int64_t t = 0; t < count; ++t) {
    PlannedTerm& term = plan.term[plan.terms++];
    const double* numbers = values + 3 * t;
    term = {int(terms[t]), numbers[0], numbers[1], numbers[2], 0, 0};
    if (kNeeds[term.id] & kPowerSum) term.power = find_or_add_power(plan, term.parameter);
    if (kNeeds[term.id] & kElementSum)
      term.element = find_or_add_element(plan, term.parameter, term.second);
  }
  // Not if the softmax is there for the statistics alone: they leave the loss its bits.
  plan.doubled = plan.powers == 2 && plan.exponent[1].q == 2.0 && needs & kSoftmax;
  // Without class weights the weighted sum is the plain one.
  plan.linear = needs & kLinearSum || (needs & kWeightedSum && !has_class_weight);
  plan.square = needs & kSquareSum;
  plan.weighted = needs & kWeightedSum && has_class_weight;
  plan.entropy = needs & kEntropySum;
  plan.top = needs & kTop || statistics;
  plan.vector = needs & kVectorSum;
  plan.vector_power = needs & kVectorPowerSum;
  plan.by_sample = needs & kBySample;
  plan.statistics = statistics;
  plan.scores = Scores(scores);
  plan.length = length;
  plan.apart = needs & (kEntropySum | kTop | kElementSum);
  plan.further = plan.apart || plan.vector || plan.vector_power;
  plan.column = make_columns(plan, needs, has_class_weight);
  return plan;
}

std::vector<const char*> term_names() {
  return {
#define X(name, needs, weighted) #name,
      NOISYKERNELS_TERMS(X)
#undef X
  };
}

}  // namespace noisykernels
