// Chooses the ISA level, and each topic's table by it. Compiled without ISA flags.
#include <atomic>
#include <cstdlib>
#include <type_traits>

#include "../kernels/errors.hpp"
#include "als_kernels.hpp"
#include "code_kernels.hpp"
#include "embedding_kernels.hpp"
#include "fm_kernels.hpp"
#include "levels.hpp"
#include "linear_kernels.hpp"
#include "mixture.hpp"
#include "mixture_diag.hpp"
#include "mixture_full.hpp"
#include "normal_kernels.hpp"
#include "rating_kernels.hpp"
#include "resample_kernels.hpp"
#include "score_kernels.hpp"
#include "sgd_kernels.hpp"
#include "simd.hpp"

#ifdef AIMASS_X86
#include <cpuid.h>
#endif

namespace aimass::simd {

namespace {

std::atomic<int> current{0};  // place in available()

int level_index() { return current.load(std::memory_order_relaxed); }

template <class T, class Table>
const auto& of_type(const Table& table) {
  if constexpr (std::is_same_v<T, float>) {
    return table.f32;
  } else {
    return table.f64;
  }
}

#ifdef AIMASS_X86
// What Clang before 18 does not know as a name: movbe, f16c and lzcnt.
bool supports_rest_of_v3() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
  const bool movbe = (c >> 22 & 1) != 0, f16c = (c >> 29 & 1) != 0;
  if (__get_cpuid(0x80000001, &a, &b, &c, &d) == 0) return false;
  return movbe && f16c && (c >> 5 & 1) != 0;
}
#endif

}  // namespace

// Supported here, slowest first. The processor is asked for every feature that the compiler may
// use.
std::vector<std::string> available() {
  std::vector<std::string> names{"baseline"};
#ifdef AIMASS_X86
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                  supports_rest_of_v3();
  if (v3) names.emplace_back("v3");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4) names.emplace_back("v4");
#endif
  return names;
}

std::string level() { return available()[static_cast<std::size_t>(level_index())]; }

void force(const std::string& level) {
  std::string known;
  const std::vector<std::string> names = available();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (level == names[i]) {
      current.store(static_cast<int>(i));
      return;
    }
    known += (known.empty() ? "" : ", ") + names[i];
  }
  throw InvalidInput("ISA level '" + level +
                     "' is unknown or not supported by this machine; use one of: " + known);
}

void init() {
  current.store(static_cast<int>(available().size()) - 1);
  const char* wanted = std::getenv("AIMASS_ISA");
  if (wanted == nullptr || *wanted == '\0') return;
  try {
    force(wanted);
  } catch (const InvalidInput& error) {
    throw InvalidInput(std::string("AIMASS_ISA: ") + error.what());
  }
}

AIMASS_TABLE_IN_USE(Table, table)
AIMASS_TABLE_IN_USE(AlsSystemsTable, als_systems_table)
AIMASS_TABLE_IN_USE(AlsPassesTable, als_passes_table)
AIMASS_TABLE_IN_USE(AlsProductsTable, als_products_table)
AIMASS_TABLE_IN_USE(CodeTable, level_code_table)
AIMASS_TABLE_IN_USE(ScoreTable, score_table)
AIMASS_TABLE_IN_USE(LinearTable, linear_table)
AIMASS_TABLE_IN_USE(SgdTable, sgd_table)
AIMASS_TABLE_IN_USE(EmbeddingTable, embedding_table)
AIMASS_TABLE_IN_USE(RatingTable, rating_table)
AIMASS_TABLE_IN_USE(FmTable, fm_table)

#ifdef AIMASS_X86
extern const CodeTable level_code_table_v4_vnni;
#endif

const CodeTable& code_table() {
#ifdef AIMASS_X86
  // Processors of level v4 may have VNNI.
  static const bool has_vnni = __builtin_cpu_supports("avx512vnni");
  if (has_vnni && &level_code_table() == &level_code_table_v4) return level_code_table_v4_vnni;
#endif
  return level_code_table();
}

template <class T>
const Kernels<T>& kernels() {
  return of_type<T>(table());
}
template <class T>
const AlsSystems<T>& als_systems() {
  return of_type<T>(als_systems_table());
}
template <class T>
const AlsPasses<T>& als_passes() {
  return of_type<T>(als_passes_table());
}
template <class T>
const AlsProducts<T>& als_products() {
  return of_type<T>(als_products_table());
}
template <class T>
const CodeScans<T>& code_scans() {
  return of_type<T>(code_table());
}
template <class T>
const ScoreKernels<T>& score_kernels() {
  return of_type<T>(score_table());
}
template <class T>
const LinearKernels<T>& linear_kernels() {
  return of_type<T>(linear_table());
}
template <class T>
const RatingKernels<T>& rating_kernels() {
  return of_type<T>(rating_table());
}
template <class T>
const SgdKernels<T>& sgd_kernels() {
  return of_type<T>(sgd_table());
}
template <class T>
const EmbeddingKernels<T>& embedding_kernels() {
  return of_type<T>(embedding_table());
}

template <class T>
const FmPanels<T>& fm_panels() {
  return of_type<T>(fm_table());
}
const FmKernels& fm_kernels() { return fm_table().systems; }

template const Kernels<float>& kernels<float>();
template const Kernels<double>& kernels<double>();
template const AlsSystems<float>& als_systems<float>();
template const AlsSystems<double>& als_systems<double>();
template const AlsPasses<float>& als_passes<float>();
template const AlsPasses<double>& als_passes<double>();
template const AlsProducts<float>& als_products<float>();
template const AlsProducts<double>& als_products<double>();
template const CodeScans<float>& code_scans<float>();
template const CodeScans<double>& code_scans<double>();
template const ScoreKernels<float>& score_kernels<float>();
template const ScoreKernels<double>& score_kernels<double>();
template const LinearKernels<float>& linear_kernels<float>();
template const LinearKernels<double>& linear_kernels<double>();
template const RatingKernels<float>& rating_kernels<float>();
template const RatingKernels<double>& rating_kernels<double>();
template const SgdKernels<float>& sgd_kernels<float>();
template const SgdKernels<double>& sgd_kernels<double>();
template const EmbeddingKernels<float>& embedding_kernels<float>();
template const EmbeddingKernels<double>& embedding_kernels<double>();
template const FmPanels<float>& fm_panels<float>();
template const FmPanels<double>& fm_panels<double>();

AIMASS_TABLE_IN_USE(ResampleTable, resample_table)
AIMASS_TABLE_IN_USE(NormalTable, normal_table)

namespace mixture {
AIMASS_TABLE_IN_USE(Kernels, kernels)
AIMASS_TABLE_IN_USE(DiagKernels, diag_kernels)
AIMASS_TABLE_IN_USE(FullTable, full_table)

template <class S>
const FullKernels<S>& full_kernels() {
  return of_type<S>(full_table());
}

template const FullKernels<float>& full_kernels<float>();
template const FullKernels<double>& full_kernels<double>();
}  // namespace mixture

}  // namespace aimass::simd
