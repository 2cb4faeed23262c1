#include "plan.h"

#include <cmath>
#include <cstring>

#include "terms.h"

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

}  // namespace

Plan make_plan(const int64_t* terms, const double* values, int64_t count, bool has_class_weight) {
  if (count > kMaxTerms) throw std::invalid_argument("more terms than one pass can carry");
  Plan plan;
  int needs = 0;
  for (int64_t t = 0; t < count; ++t) {
    if (terms[t] < 0 || terms[t] >= kTerms) throw std::invalid_argument("unknown term id");
    needs |= kNeeds[terms[t]];
  }
  plan.softmax = needs & kSoftmax;
  if (plan.softmax) find_or_add_power(plan, 1.0);  // first, so that it is power 0
  for (int64_t t = 0; t < count; ++t) {
    const int i = plan.terms++;
    plan.term[i] = int(terms[t]);
    plan.weight[i] = values[2 * t];
    plan.parameter[i] = values[2 * t + 1];
    plan.power[i] = kNeeds[terms[t]] & kPowerSum ? find_or_add_power(plan, plan.parameter[i]) : 0;
  }
  // Without class weights the weighted sum is the plain one.
  plan.linear = needs & kLinearSum || (needs & kWeightedSum && !has_class_weight);
  plan.square = needs & kSquareSum;
  plan.weighted = needs & kWeightedSum && has_class_weight;
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
