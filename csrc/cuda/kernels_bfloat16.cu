#define NOISYKERNELS_DTYPE bfloat16
#define NOISYKERNELS_STORAGE __nv_bfloat16
#include "kernels.h"
