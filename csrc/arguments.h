// What the host tells a kernel: plain structs, so that no kernel file includes a torch header.
#pragma once

#include <stdint.h>

namespace noisykernels {

enum class ScalarType { kFloat, kDouble, kHalf, kBFloat16 };

enum class Reduction : int64_t { kNone, kMean, kSum };

constexpr int kMaxTerms = 16;
constexpr int kMaxPowers = 3;

// exp(q d) is 2^n exp(q (d - n ln2/q)); ln2/q is split so that n times its high part is exact.
struct Exponent {
  double q;
  double log2e;  // q log2(e)
  float high_f;  // ln2/q, split for float arithmetic
  float low_f;
  double high_d;  // and for double
  double low_d;
};

// A weighted sum of terms, and the row statistics it needs.
struct Plan {
  int terms = 0;
  int term[kMaxTerms];
  double weight[kMaxTerms];
  double parameter[kMaxTerms];
  int power[kMaxTerms];  // index in `exponent` of the power the term sums, for terms that do

  int powers = 0;  // row sums of exp(q_i (x_k - m)); none of them: no exp is computed at all
  Exponent exponent[kMaxPowers];
  bool softmax = false;   // then exponent[0] is 1
  bool linear = false;    // row sum of x, needed by MUH and label smoothing
  bool square = false;    // row sum of x^2
  bool weighted = false;  // row sum of w_k x_k, needed by label smoothing with class weights
};

// Logits seen as (outer, class, inner); row r is outer r / inner and inner r % inner. Strides in
// elements.
struct Layout {
  int64_t inner = 1;
  int64_t outer_stride;
  int64_t inner_stride = 0;
  int64_t class_stride;
};

// What the forward hands to the backward for each row: column names of the (kRowCoefficients, rows)
// buffer. dz_k = sum_i power_i exp(q_i (x_k - shift)) + linear x_k + constant + class_weight w_k,
// and dz_y = label.
enum RowCoefficient {
  kShift,
  kPower,  // and the next kMaxPowers - 1
  kLinear = kPower + kMaxPowers,
  kConstant,
  kClassWeight,
  kLabel,
  kRowCoefficients
};

struct Arguments {
  Plan plan;
  ScalarType dtype;
  int64_t rows;
  int64_t classes;
  const void* logits;
  Layout layout;
  const int64_t* target;
  int64_t ignore_index;
  const void* class_weight;  // nullptr: all one. In the arithmetic type, as all that follows.
  void* row_coefficients;
};

struct ForwardArguments : Arguments {
  Reduction reduction;
  void* loss;            // (rows), written with Reduction::kNone
  double* value;         // (rows), written otherwise: each row's loss and weight, for whoever adds
  double* label_weight;  // them up in the order of the rows
};

struct BackwardArguments : Arguments {
  const void*
      upstream;  // one for each row `upstream_stride` apart, or the same for all with stride 0
  int64_t upstream_stride;
  double divisor;
  void* gradient;
  Layout gradient_layout;
};

}  // namespace noisykernels
