// noisykernels._C: what is not an operator, and a short way to the one that is called at each step.
// Importing it also registers the operators' kernels.
#include <pybind11/operators.h>
#include <pybind11/stl.h>
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/utils/pybind.h>

#include "cpu/dispatch.h"
#include "ops.h"
#include "plan.h"

namespace noisykernels {
namespace {

// The terms of a sum and their numbers, converted from Python once and not at every step.
struct Terms {
  std::vector<int64_t> ids;
  std::vector<double> values;

  bool operator==(const Terms&) const = default;
};

at::Tensor fused_loss(const at::Tensor& logits, const at::Tensor& target,
                      const std::optional<at::Tensor>& weight,
                      const std::optional<at::Tensor>& vectors, const Terms& terms,
                      int64_t ignore_index, int64_t reduction, int64_t backend, int64_t scores,
                      double length) {
  // The dispatcher would choose by any of them, a meta tensor first.
  const auto elsewhere = [&](const at::Tensor& t) { return t.device() != logits.device(); };
  TORCH_CHECK(
      !elsewhere(target) && !(weight && elsewhere(*weight)) && !(vectors && elsewhere(*vectors)),
      "tensors on different devices");
  static const auto op = find_op<Forward>("forward");
  return std::get<0>(op.call(logits, target, weight, vectors, terms.ids, terms.values, ignore_index,
                             reduction, /*statistics=*/false, backend, scores, length));
}

}  // namespace
}  // namespace noisykernels

PYBIND11_MODULE(_C, m) {
  using namespace noisykernels;
  m.doc() = "Compiled kernels of noisykernels.";
  pybind11::class_<Terms>(m, "Terms", "The `terms` and `values` arguments of the operators.")
      .def(pybind11::init<std::vector<int64_t>, std::vector<double>>(), pybind11::arg("ids"),
           pybind11::arg("values"))
      .def(pybind11::self == pybind11::self);
  using pybind11::arg;
  m.def("fused_loss", torch::wrap_pybind_function_no_gil(fused_loss),
        "The loss of `noisykernels::forward`, called without the cost of its schema.",
        arg("logits"), arg("target"), arg("weight"), arg("vectors"), arg("terms"),
        arg("ignore_index"), arg("reduction"), arg("backend"), arg("scores") = 0,
        arg("length") = 0.0);
  m.def("terms", &term_names, "Names of the terms, in the order of their ids.");
#ifdef NOISYKERNELS_CUDA
  m.attr("cuda") = true;
#else
  m.attr("cuda") = false;
#endif
  m.def("simd_level", &simd_level, "The SIMD level in use.");
  m.def("simd_levels", &simd_levels, "SIMD levels that this machine runs, best first.");
  m.def("set_simd_level", &set_simd_level, pybind11::arg("name"),
        "Use this SIMD level from now on.");
}
