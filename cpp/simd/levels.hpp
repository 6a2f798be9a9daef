// One table of a topic's micro-kernels for each ISA level.
#pragma once

// In a file compiled once per level: defines `name` of that level.
#define AIMASS_CAT2(a, b) a##b
#define AIMASS_CAT(a, b) AIMASS_CAT2(a, b)
#define AIMASS_LEVEL_TABLE(Table, name)                 \
  extern const Table AIMASS_CAT(name##_, AIMASS_LEVEL); \
  const Table AIMASS_CAT(name##_, AIMASS_LEVEL)

// In a file compiled without ISA flags: defines name(), the table of the level in use.
#ifdef AIMASS_X86
#define AIMASS_TABLE_IN_USE(Table, name)                                           \
  extern const Table name##_baseline, name##_v3, name##_v4;                        \
  const Table& name() {                                                            \
    constexpr const Table* kLevels[] = {&name##_baseline, &name##_v3, &name##_v4}; \
    return *kLevels[level_index()];                                                \
  }
#else
#define AIMASS_TABLE_IN_USE(Table, name) \
  extern const Table name##_baseline;    \
  const Table& name() { return name##_baseline; }
#endif
