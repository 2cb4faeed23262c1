// What the host tells a kernel: plain structs, so that no kernel file includes a torch header.
#pragma once

#include <stdint.h>

namespace noisykernels {

enum class ScalarType { kFloat, kDouble, kHalf, kBFloat16 };

enum class Reduction : int64_t { kNone, kMean, kSum };

// What the loss is computed of: the logits, or what makes their length, see terms/scores.h.
enum class Scores : int64_t { kLogits, kNormalized, kClipped };

constexpr int kMaxTerms = 16;
constexpr int kMaxPowers = 3;
constexpr int kMaxElements = 2;
constexpr int kMaxOrder = 16;  // of a Taylor series

// exp(q d) is 2^n exp(q (d - n ln2/q)); ln2/q is split so that n times its high part is exact.
struct Exponent {
  double q;
  double log2e;  // q log2(e)
  float high_f;  // ln2/q, split for float arithmetic
  float low_f;
  double high_d;  // and for double
  double low_d;
  double step;    // ln2/q
  bool is_short;  // float(step) is as good: the bits beyond happen to be zeros
};

// The function (1 - p)^gamma of the classes whose log p is not below the floor, else zero.
struct Element {
  double gamma;
  double floor;
  double offset;  // makes offset + (1 - p)^gamma log p zero at the floor; 0 without one
  Exponent power;
};

struct PlannedTerm {
  int id;
  double weight;
  double parameter;
  double second;
  int power;    // index in `exponent` of the power the term sums, for terms that do
  int element;  // index in `element`, for terms with an elementwise function
};

// Where the forward leaves what for the backward: columns of a (count, rows) buffer, -1 for what is
// not there. `columns` in noisykernels/terms/sums.py says what they are.
struct Columns {
  int label = -1;
  int shift = -1;
  int power = -1;  // the first of them
  int entropy = -1;
  int vector_power = -1;
  int linear = -1;
  int constant = -1;
  int class_weight = -1;
  int vector = -1;
  int top = -1;
  int top_class = -1;
  int log_sum = -1;
  int top_miss = -1;
  int element = -1;     // the first of them
  int ratio = -1;       // of bounded scores, and next to it the rest of it
  int statistics = -1;  // the first of kStatistics
  int count = 0;
};

// log p_y, p_y, log sum_k exp(x_k), the class with the largest logit
constexpr int kStatistics = 4;

// A weighted sum of terms, and the row statistics it needs.
struct Plan {
  int terms = 0;
  PlannedTerm term[kMaxTerms];
  Columns column;

  int powers = 0;  // row sums of exp(q_i (x_k - m)); none of them: no exp is computed at all
  Exponent exponent[kMaxPowers];
  bool doubled = false;  // there are two, 1 and 2: the second power is the first one's square
  int elements = 0;      // row sums of elementwise functions, in a second visit
  Element element[kMaxElements];

  bool softmax = false;       // then exponent[0] is 1
  bool linear = false;        // row sum of x, needed by MUH and label smoothing
  bool square = false;        // row sum of x^2
  bool weighted = false;      // row sum of w_k x_k, needed by label smoothing with class weights
  bool entropy = false;       // row sum of exp(x_k - m) (x_k - m)
  bool top = false;           // the class with the largest logit
  bool vector = false;        // row sum of v_k x_k
  bool vector_power = false;  // row sum of v_k exp(x_k - m)
  bool by_sample = false;     // v is the row's own, not its label's
  bool statistics = false;
  Scores scores = Scores::kLogits;
  double length = 0;  // of bounded scores

  // Sum the exponentials with the largest kept apart, for what is small where one class is certain.
  bool apart = false;
  // Any of what few losses need: it has loops of its own.
  bool further = false;
};

// Logits seen as (outer, class, inner); row r is outer r / inner and inner r % inner. Strides in
// elements.
struct Layout {
  int64_t inner = 1;
  int64_t outer_stride;
  int64_t inner_stride = 0;
  int64_t class_stride;
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
  const void* vectors;       // (labels or rows, classes), nullptr where no term reads them
  void* row_coefficients;
};

struct ForwardArguments : Arguments {
  Reduction reduction;
  void* loss;            // (rows), written with Reduction::kNone
  double* value;         // (rows), written otherwise: each row's loss and weight, for whoever adds
  double* label_weight;  // them up in the order of the rows
  // On the CPU, for rows that threads share: calls body(context, i) for i < count, on all of them.
  void (*share)(int64_t count, void (*body)(const void* context, int64_t i),
                const void* context) = nullptr;
};

struct BackwardArguments : Arguments {
  const void*
      upstream;  // one for each row `upstream_stride` apart, or the same for all with stride 0
  int64_t upstream_stride;
  double divisor;
  void* gradient;
  Layout gradient_layout;
  int64_t first_class = 0;  // on the CPU, of those to write
  int64_t last_class;       // one beyond
};

}  // namespace noisykernels
