// Picks the table of the level in use. Compiled without ISA flags.
#include "als_table.hpp"

#include "simd.hpp"

namespace aimass::simd {

extern const AlsTable als_table_baseline;
#ifdef AIMASS_X86
extern const AlsTable als_table_v3;
extern const AlsTable als_table_v4;
#endif

const AlsTable& als_table() {
#ifdef AIMASS_X86
  constexpr const AlsTable* kTables[] = {&als_table_baseline, &als_table_v3, &als_table_v4};
#else
  constexpr const AlsTable* kTables[] = {&als_table_baseline};
#endif
  return *kTables[level_index()];
}

}  // namespace aimass::simd
