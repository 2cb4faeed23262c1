// The emulated kernels for Python's ctypes: one function each, with plain numbers and pointers.
#include <memory>

#include "csrc/cuda/launch.h"
#include "csrc/plan.h"
#include "emulation.h"

namespace {

using namespace noisykernels;

// The same fields as `Call` in emulated.py.
struct Call {
  int64_t terms;
  const int64_t* ids;
  const double* values;
  int64_t has_weight, statistics, dtype, rows, classes;
  const void* logits;
  Layout layout;
  const int64_t* target;
  int64_t ignore_index;
  const void* class_weight;
  const void* vectors;
  void* row_coefficients;
  int64_t reduction, processors, seed;
  void* divisor;
  void* loss;            // forward
  const void* upstream;  // backward
  int64_t upstream_stride;
  void* gradient;
  Layout gradient_layout;
  int64_t scores;  // a kind of bounded ones
  double length;
};

void fill(Arguments& a, const Call& call) {
  emulation::seed = unsigned(call.seed);
  emulation::processors = unsigned(call.processors);
  a.plan = make_plan(call.ids, call.values, call.terms, call.has_weight, call.statistics,
                     call.scores, call.length);
  a.dtype = ScalarType(call.dtype);
  a.rows = call.rows;
  a.classes = call.classes;
  a.logits = call.logits;
  a.layout = call.layout;
  a.target = call.target;
  a.ignore_index = call.ignore_index;
  a.class_weight = call.class_weight;
  a.vectors = call.vectors;
  a.row_coefficients = call.row_coefficients;
}

void check(const char* error) {
  if (!error) return;
  std::fprintf(stderr, "%s\n", error);
  std::abort();
}

}  // namespace

extern "C" {

// Whether blocks had to wait for each other; -1 where the ticket was not given back.
int emulated_forward(const Call* call) {
  ForwardArguments a;
  fill(a, *call);
  a.reduction = Reduction(call->reduction);
  a.loss = call->loss;
  cuda::ForwardLaunch launch;
  launch.stream = nullptr;
  launch.processors = int(call->processors);
  launch.divisor = call->divisor;
  // Exactly as much as is asked for: one byte more is an error that a sanitizer sees.
  const size_t bytes = cuda::workspace_bytes(a, launch.processors);
  const std::unique_ptr<char[]> workspace(new char[bytes]);
  launch.workspace = workspace.get();
  const bool together = bytes > 0;
  const std::unique_ptr<unsigned> ticket(together ? new unsigned(0) : nullptr);
  launch.ticket = ticket.get();
  check(cuda::forward(a, launch));
  return together && *ticket != 0 ? -1 : together;
}

void emulated_backward(const Call* call) {
  BackwardArguments a;
  fill(a, *call);
  a.upstream = call->upstream;
  a.upstream_stride = call->upstream_stride;
  a.gradient = call->gradient;
  a.gradient_layout = call->gradient_layout;
  cuda::BackwardLaunch launch;
  launch.stream = nullptr;
  launch.processors = int(call->processors);
  launch.divisor = call->divisor;
  check(cuda::backward(a, launch));
}
}
