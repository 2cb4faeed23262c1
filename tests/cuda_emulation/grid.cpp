// Every kernel over a grid of shapes, in buffers without a byte to spare, for a sanitizer to watch.
// What comes out is compared elsewhere; here it must have been written, and repeat.
#include <cmath>
#include <cstring>

#include "binding.cpp"

namespace {

struct Problem {
  std::vector<const char*> terms;
  bool weighted = false, vectors = false, by_sample = false;
};

const Problem kProblems[] = {
    {{"ce"}},
    {{"muh", "square"}},
    {{"sgce", "alpha_mae"}},                 // three powers
    {{"nce", "smoothing"}, true},            // all polynomial sums
    {{"entropy", "top_ce", "nfl", "nnfl"}},  // all that `further` sums, but vectors
    {{"forward", "backward"}, false, true},
    {{"elr"}, false, true, true},
};

struct Shape {
  int64_t outer, classes, inner, offset;  // of the first element, in elements
};

const Shape kShapes[] = {
    {1, 1, 1, 0},      // p is always one
    {33, 10, 1, 0},    // one block, a thread a row, words
    {300, 3, 1, 1},    // several blocks, single elements
    {40, 100, 1, 0},   // four lanes a row
    {3, 129, 1, 3},    // rows start anywhere
    {2, 1001, 1, 1},   // a warp a row, shifted vectors
    {3, 5001, 1, 0},   // several warps a row
    {2, 40000, 1, 0},  // a row on several blocks
    {1, 70001, 1, 1},  // on four of them
    {2, 7, 19, 0},     // images: classes far apart
};

int id_of(const char* name) {
  const auto names = term_names();
  for (size_t i = 0; i < names.size(); ++i) {
    if (!strcmp(names[i], name)) return int(i);
  }
  std::abort();
}

// A number between -4 and 4.
double number(uint64_t i) { return double(i * 2654435761u % 8191) / 1024 - 4; }

void write(char* p, int64_t dtype, int64_t i, double x) {
  switch (ScalarType(dtype)) {
    case ScalarType::kFloat:
      reinterpret_cast<float*>(p)[i] = float(x);
      break;
    case ScalarType::kDouble:
      reinterpret_cast<double*>(p)[i] = x;
      break;
    default:  // the upper half of a float is a bfloat16, and for these numbers a fair half
      const float f = float(x);
      memcpy(p + 2 * i, reinterpret_cast<const char*>(&f) + 2, 2);
  }
}

void run(const Problem& problem, const Shape& shape, int64_t dtype) {
  const int64_t rows = shape.outer * shape.inner, elements = rows * shape.classes;
  const size_t size = dtype == 0 ? 4 : dtype == 1 ? 8 : 2, scalar = dtype == 1 ? 8 : 4;
  const int64_t scalar_type = dtype == 1 ? 1 : 0;
  std::vector<int64_t> ids, target(rows);
  std::vector<double> values;
  for (const char* term : problem.terms) {
    ids.push_back(id_of(term));
    values.insert(values.end(), {0.5, 0.7, term[0] == 'n' && term[1] == 'n' ? -3.0 : -INFINITY});
  }
  for (int64_t r = 0; r < rows; ++r) target[r] = r * 7 % shape.classes;
  if (rows > 1) target[1] = -100;
  if (rows > 2) target[2] = shape.classes;  // out of range: nothing is read there
  const auto bytes = [](size_t count) { return std::unique_ptr<char[]>(new char[count]); };
  const auto logits = bytes((elements + shape.offset) * size);
  for (int64_t i = 0; i < elements; ++i) write(logits.get(), dtype, shape.offset + i, number(i));
  const auto gradient = bytes(elements * size), weight = bytes(shape.classes * scalar);
  for (int64_t k = 0; k < shape.classes; ++k) write(weight.get(), scalar_type, k, 1 + k % 3);
  const int64_t vector_rows = problem.by_sample ? rows : shape.classes;
  const auto vectors = bytes(problem.vectors ? vector_rows * shape.classes * scalar : 0);
  for (int64_t i = 0; problem.vectors && i < vector_rows * shape.classes; ++i)
    write(vectors.get(), scalar_type, i, 1.0 / double(shape.classes));
  const int64_t normalized = int64_t(Scores::kNormalized);
  const Plan plan = make_plan(ids.data(), values.data(), int64_t(ids.size()), problem.weighted,
                              true, normalized, 7);
  const auto coefficients = bytes(plan.column.count * rows * scalar);
  const auto loss = bytes(scalar), divisor = bytes(scalar), upstream = bytes(scalar);
  write(upstream.get(), scalar_type, 0, 1);

  Call call{};
  call.terms = int64_t(ids.size());
  call.ids = ids.data();
  call.values = values.data();
  call.has_weight = problem.weighted;
  call.dtype = dtype;
  call.rows = rows;
  call.classes = shape.classes;
  call.logits = logits.get() + shape.offset * size;
  call.layout = {shape.inner, shape.classes * shape.inner, shape.inner > 1, shape.inner};
  call.target = target.data();
  call.ignore_index = -100;
  call.class_weight = problem.weighted ? weight.get() : nullptr;
  call.vectors = problem.vectors ? vectors.get() : nullptr;
  call.row_coefficients = coefficients.get();
  call.reduction = int64_t(Reduction::kMean);
  call.processors = 4;
  call.divisor = divisor.get();
  call.loss = loss.get();
  call.upstream = upstream.get();
  call.gradient = gradient.get();
  call.gradient_layout = call.layout;
  call.length = 7;
  for (const bool all : {false, true}) {
    call.statistics = all;
    call.scores = all ? normalized : 0;
    call.seed = all;
    if (emulated_forward(&call) < 0) std::abort();
    emulated_backward(&call);
  }
}

}  // namespace

int main() {
  for (const Problem& problem : kProblems) {
    for (const Shape& shape : kShapes) {
      if (problem.vectors && !problem.by_sample && shape.classes > 1001) continue;  // classes^2
      for (ScalarType dtype : {ScalarType::kFloat, ScalarType::kBFloat16})  // those being watched
        run(problem, shape, int64_t(dtype));
    }
  }
  std::puts("done");
}
