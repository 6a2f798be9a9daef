// The mode in which a thread computes with denormal numbers. Mixture kernels flush them to zero,
// since each operation on one costs hundreds of cycles; signal handlers, which run inside a kernel
// while it polls, must see the mode of the caller. Elsewhere than on x86 the mode is left alone.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace aimass {

// The floating-point mode of the thread that creates it.
class FloatingPointMode {
 public:
#if defined(__SSE2__)
  FloatingPointMode() : control_(_mm_getcsr()) {}
  static FloatingPointMode flushing() {
    FloatingPointMode mode;
    mode.control_ |= 0x8040;  // denormal results and denormal operands count as zero
    return mode;
  }
  void set() const { _mm_setcsr(control_); }

 private:
  unsigned control_;
#else
  static FloatingPointMode flushing() { return {}; }
  void set() const {}
#endif
};

// Switches this thread to a mode and back at the end of the scope.
class FloatingPointScope {
 public:
  explicit FloatingPointScope(const FloatingPointMode& mode) { mode.set(); }
  ~FloatingPointScope() { saved_.set(); }
  FloatingPointScope(const FloatingPointScope&) = delete;
  FloatingPointScope& operator=(const FloatingPointScope&) = delete;

 private:
  FloatingPointMode saved_;
};

class FlushDenormals : public FloatingPointScope {
 public:
  FlushDenormals() : FloatingPointScope(FloatingPointMode::flushing()) {}
};

}  // namespace aimass
