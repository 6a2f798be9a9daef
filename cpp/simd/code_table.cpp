// Picks the table of code_kernels.cpp by the level in use. Compiled without ISA flags.
#include "code_kernels.hpp"
#include "simd.hpp"

namespace aimass::simd {

extern const CodeTable code_table_baseline;
#ifdef AIMASS_X86
extern const CodeTable code_table_v3;
extern const CodeTable code_table_v4;
extern const CodeTable code_table_v4_vnni;
#endif

const CodeTable& code_table() {
#ifdef AIMASS_X86
  // Processors of level v4 may lack VNNI.
  static const bool has_vnni = __builtin_cpu_supports("avx512vnni");
  const CodeTable* const tables[] = {&code_table_baseline, &code_table_v3,
                                     has_vnni ? &code_table_v4_vnni : &code_table_v4};
#else
  constexpr const CodeTable* tables[] = {&code_table_baseline};
#endif
  return *tables[level_index()];
}

}  // namespace aimass::simd
