// Denormal numbers cost hundreds of cycles each; while an object of this class lives, its thread
// counts them as zero.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace aimass {

class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(saved_); }
#else
  FlushDenormals() {}  // nothing is switched; not defaulted, or variables would count as unused
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

#if defined(__SSE2__)
 private:
  unsigned saved_;
#endif
};

}  // namespace aimass
