// Bytes of a vector of the level that a file is compiled for. Everything has internal linkage.
#pragma once

#include <cstdint>

namespace {

#if defined(__AVX512F__)
constexpr std::int64_t kVector = 64;
#elif defined(__AVX2__)
constexpr std::int64_t kVector = 32;
#else
constexpr std::int64_t kVector = 16;
#endif

}  // namespace
