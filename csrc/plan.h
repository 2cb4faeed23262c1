// A weighted sum of terms as the operators take it, made into what the kernels need to know.
#pragma once

#include <stdexcept>
#include <vector>

#include "arguments.h"

namespace noisykernels {

// `values` holds a weight and two parameters for each of `terms`.
Plan make_plan(const int64_t* terms, const double* values, int64_t count, bool has_class_weight,
               bool statistics, int64_t scores = 0, double length = 0);

// Names of the terms, in the order of their ids.
std::vector<const char*> term_names();

}  // namespace noisykernels
