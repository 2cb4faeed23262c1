#define NOISYKERNELS_LEVEL baseline
#define NOISYKERNELS_LEVEL_NAME "baseline"
#define NOISYKERNELS_VECTOR_BYTES 16
#include "skeleton.h"
