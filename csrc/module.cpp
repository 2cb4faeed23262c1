// noisykernels._C: what is not an operator. Importing it also registers the operators' kernels.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "cpu/dispatch.h"
#include "plan.h"

PYBIND11_MODULE(_C, m) {
  m.doc() = "Compiled kernels of noisykernels.";
  m.def("terms", &noisykernels::term_names, "Names of the terms, in the order of their ids.");
  m.def("simd_level", &noisykernels::simd_level, "The SIMD level in use.");
  m.def("simd_levels", &noisykernels::simd_levels,
        "SIMD levels that this machine runs, best first.");
  m.def("set_simd_level", &noisykernels::set_simd_level, pybind11::arg("name"),
        "Use this SIMD level from now on.");
}
