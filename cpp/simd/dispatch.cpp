// Chooses the ISA level. Compiled without ISA flags.
#include <atomic>
#include <cstdlib>

#include "../kernels/errors.hpp"
#include "simd.hpp"

namespace aimass::simd {

extern const Table table_baseline;
#ifdef AIMASS_X86
extern const Table table_v3;
extern const Table table_v4;
#endif

namespace {

// Supported here, slowest first. The processor is asked for every feature that the compiler may
// use.
std::vector<const Table*> supported() {
  std::vector<const Table*> tables{&table_baseline};
#ifdef AIMASS_X86
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                  __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("movbe") &&
                  __builtin_cpu_supports("f16c");
  if (v3) tables.push_back(&table_v3);
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4) tables.push_back(&table_v4);
#endif
  return tables;
}

std::atomic<int> current{0};  // place in supported()

}  // namespace

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const Table* t : supported()) names.emplace_back(t->level);
  return names;
}

void force(const std::string& level) {
  std::string names;
  const std::vector<const Table*> tables = supported();
  for (std::size_t i = 0; i < tables.size(); ++i) {
    if (level == tables[i]->level) {
      current.store(static_cast<int>(i));
      return;
    }
    names += names.empty() ? tables[i]->level : std::string(", ") + tables[i]->level;
  }
  throw InvalidInput("ISA level '" + level +
                     "' is unknown or not supported by this machine; use one of: " + names);
}

void init() {
  current.store(static_cast<int>(supported().size()) - 1);
  const char* wanted = std::getenv("AIMASS_ISA");
  if (wanted == nullptr || *wanted == '\0') return;
  try {
    force(wanted);
  } catch (const InvalidInput& error) {
    throw InvalidInput(std::string("AIMASS_ISA: ") + error.what());
  }
}

std::string level() { return table().level; }

int level_index() { return current.load(std::memory_order_relaxed); }

const Table& table() {
#ifdef AIMASS_X86
  constexpr const Table* kTables[] = {&table_baseline, &table_v3, &table_v4};
#else
  constexpr const Table* kTables[] = {&table_baseline};
#endif
  return *kTables[level_index()];
}

}  // namespace aimass::simd
