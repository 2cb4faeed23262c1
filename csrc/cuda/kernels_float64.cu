#define NOISYKERNELS_DTYPE float64
#define NOISYKERNELS_STORAGE double
#include "kernels.h"
